/** RUN instructions that leave dnf's cache in their layer. */
import { isDnf } from '../installs.ts';
import { finalSteps, type Piece } from '../containerfile.ts';
import type { Rule } from '../rule.ts';

/** What fills the cache. */
const FETCHING = new RegExp(
  '\\b(?:(?:local|group|re)?install|(?:up|down)grade|update|distro-sync|swap|group|module|builddep|makecache|' +
    'download)\\b',
);
/** What is written into a cache mount is not in the layer. */
const CACHE_MOUNT = /--mount=(?=\S*type=cache)\S*(?:target|dst|destination)=\/var\/(?:cache|lib\/dnf)(?:[/,\s]|$)/;

function empties(piece: Piece): boolean {
  if (isDnf(piece)) return /\bclean\b.*\ball\b/.test(piece.text);
  // `rm -rf /var/{cache,log}`, as the guide writes it for RHEL
  return /^\W*(?:sudo\s+)?rm\s.*\/var\/(?:cache|\{[^}]*\bcache\b[^}]*\})(?:[/\s]|$)/.test(piece.text);
}

const rule: Rule = {
  id: 'dnf-clean',
  reason: 'every device downloads and keeps the cache that a layer holds',
  containerfile: ({ containerfile }) =>
    finalSteps(containerfile).flatMap(({ pieces, text }) => {
      const last = pieces.findLastIndex((piece) => isDnf(piece) && FETCHING.test(piece.text));
      if (last < 0 || pieces.slice(last).some(empties) || CACHE_MOUNT.test(text)) return [];
      const name = /dnf5?|yum|microdnf/.exec(pieces[last]!.text)![0];
      const message = `${name} leaves its cache in the image; end the same RUN with \`${name} clean all\``;
      return [{ line: pieces[last]!.line, message }];
    }),
};
export default rule;
