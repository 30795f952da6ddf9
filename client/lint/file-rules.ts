/** Rules about the files that a Containerfile writes. Pure. */
import { finalSteps } from './containerfile.ts';
import { emptiesCache, fillsCache } from './packages.ts';
import { counterpart, DROP_INS } from './paths.ts';
import type { Found, Project } from './project.ts';

/** Below /var, and not of the image: temporary, or links to /run. */
const NO_CONTENT = /^\/var\/(?:tmp|run|lock)(?:\/|$)/;

/** RUN instructions that leave dnf's cache in their layer. */
export function cacheLeft({ containerfile }: Project): Found[] {
  return finalSteps(containerfile).flatMap(({ commands, caches }) => {
    const last = commands.findLastIndex(fillsCache);
    const emptied = commands.some((command, index) => index > last && emptiesCache(command));
    // What is written into a cache mount is not in the layer.
    if (last < 0 || emptied || caches.some((target) => /^\/var\/(?:cache|lib\/dnf)(?:\/|$)/.test(target))) return [];
    const { line, name } = commands[last]!;
    return [{ line, message: `${name} leaves its cache in the image; end the same RUN with \`${name} clean all\`` }];
  });
}

/** Content below /var. */
export function varChanges({ writes }: Project): Found[] {
  return writes
    .filter(({ path }) => path.startsWith('/var/') && !NO_CONTENT.test(path))
    .map(({ path, line }) => ({
      line,
      message: `${path} is below /var; put it below /usr, or let systemd-tmpfiles make it (/usr/lib/tmpfiles.d)`,
    }));
}

/** Whole files that replace, or change, one that has a drop-in directory. */
export function dropInsUnused({ writes }: Project): Found[] {
  return writes.flatMap(({ path, line, how }) => {
    const directory = how === 'place' || how === 'edit' ? DROP_INS[path] : undefined;
    return directory
      ? [{ line, message: `${path} is changed as a whole; put what differs into a file of ${directory}` }]
      : [];
  });
}

/** Files of /etc whose program reads them below /usr too. */
export function etcOverUsr({ writes }: Project): Found[] {
  return writes.flatMap(({ path, line, how }) => {
    // `systemctl enable` and `mask` make links there too.
    const better = how === 'place' && DROP_INS[path] === undefined ? counterpart(path) : undefined;
    return better ? [{ line, message: `${path} can be ${better}` }] : [];
  });
}
