/** `flightline bundle`: a released name with all that belongs to it, as one file for a registry without a network. */
import type { Command } from '@commander-js/extra-typings';
import { existsSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { sha256 } from '../../model/base/digest.ts';
import { bytesInWords } from '../../model/base/words.ts';
import { packBundle } from '../bundle/pack-bundle.ts';
import { gatherBundle } from '../bundle/gather.ts';
import { publicKeyOr } from '../project/public-key.ts';
import { repositoryAndTag } from '../temporal/release-name.ts';
import { KEY_OPTION } from '../terminal/arguments.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .argument('<reference>', 'REPOSITORY:TAG, released by flightline')
    .requiredOption('-o, --output <file>', 'the file to write')
    .option(...KEY_OPTION)
    .option('--record-repository <repository>', 'repositories.record of the spec; default is REPOSITORY/release');

export default verb({
  group: 'trust',
  summary: 'write a release with its disks and signatures into one file',
  description:
    'Write a release into one file (an OCI layout): image, disks, record, and all signatures and attestations of ' +
    'them. `flightline import` brings it to a registry that has no network to this one. ' +
    'A bundle that was interrupted is gone on with.',
  examples: ['flightline bundle quay.io/acme/edge-camera:v1 -o edge-camera-v1.tar --key release.pub'],
  json: { help: 'print JSON', schemas: ['bundle'] },

  syntax,

  run: ([reference], options, output) => bundle(reference, options, output),
});

async function bundle(reference: string, options: OptionsOf<typeof syntax>, output: Output): Promise<number> {
  const image = repositoryAndTag(reference);
  const record = { repository: options.recordRepository ?? `${image.repository}/release`, tag: image.tag };
  const key = await readPublicKey(await publicKeyOr(options.key));
  const file = resolve(options.output);
  if (existsSync(file)) {
    throw new UserError('file-exists', `${file} is there already`, 'move it away, or name another file (--output)');
  }
  // Named by what it is of: the same command finds what an earlier one has left.
  const scratch = join(dirname(file), `.flightline-bundle-${sha256(reference).slice(0, 12)}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const gathered = await withUserAccess((access) =>
    gatherBundle(access, { image, record, key }, scratch, (what) => output.note(`fetching ${what}`)),
  );
  await packBundle(scratch, gathered, file);
  await rm(scratch, { recursive: true, force: true });
  const { size } = await stat(file);
  const names = gathered.index.roots.map(({ name }) => name);
  output.result([`${file} (${bytesInWords(size)})`, ...names.map((name) => `  ${name}`)].join('\n'));
  output.document({ file, size, image: reference, roots: gathered.index.roots });
  return EXIT.ok;
}
