/** `flightline import`: brings the release of a bundle into a registry. */
import type { Command } from '@commander-js/extra-typings';
import { access as accessFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { withTemporaryDirectory } from '../../activities/tools/temporary-directory.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { Repository } from '../../model/oci/reference.ts';
import { unpackBundle } from '../bundle/pack-bundle.ts';
import { Bundle } from '../bundle/bundle.ts';
import { importBundle } from '../bundle/import.ts';
import { verifiedBundle } from '../bundle/verified.ts';
import { publicKeyOr } from '../project/public-key.ts';
import { KEY_OPTION } from '../terminal/arguments.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .argument('<file>', 'what `flightline bundle` wrote')
    .requiredOption('--to <repository>', 'the repository for the image, without a tag; disks and record go beside it')
    .option(...KEY_OPTION)
    .option('--replace', 'move tags there that point at something else');

export default verb({
  group: 'trust',
  summary: 'bring the release of a bundle into a registry',
  description:
    'Verify all of a bundle, then bring it into a registry with its digests and signatures unchanged. ' +
    'Nothing is written before everything is verified, and no tag before everything is there. ' +
    'An import that was interrupted is gone on with. It unpacks the bundle below $TMPDIR.',
  examples: ['flightline import edge-camera-v1.tar --to registry.plant.example/acme/edge-camera --key release.pub'],
  json: { help: 'print JSON', schemas: ['import'] },

  syntax,

  run: ([file], options, output) => importFile(file, options, output),
});

async function importFile(named: string, options: OptionsOf<typeof syntax>, output: Output): Promise<number> {
  const problem = Repository.safeParse(options.to).error?.issues[0]?.message;
  if (problem) throw new UserError('usage', `"${options.to}" ${problem}`, 'name the repository with --to');
  const publicKeyFile = resolve(await publicKeyOr(options.key));
  const key = await readPublicKey(publicKeyFile);
  const file = resolve(named);
  await accessFile(file).catch((error: Error) => {
    throw new UserError('usage', `the bundle cannot be read: ${error.message}`, 'name what `flightline bundle` wrote');
  });
  const say = (what: string) => output.note(what);
  const { image, tags } = await withTemporaryDirectory('flightline-import-', async (directory) => {
    say(`verifying ${file}`);
    const bundle = await Bundle.open(directory, await unpackBundle(file, directory));
    const contents = await verifiedBundle(bundle, key);
    const request = { bundle, contents, target: options.to, publicKeyFile, replace: options.replace === true };
    return withUserAccess(async (access) => ({
      image: contents.image,
      tags: await importBundle(access, request, (what) => say(what.startsWith('verifying') ? what : `sending ${what}`)),
    }));
  });
  const device = `flightline device-config --imported-from ${image.repository} --repository ${options.to}`;
  output.result(
    [
      ...tags.map(({ repository, tag, digest }) => `${repository}:${tag}\n  ${digest}`),
      `its signatures name ${image.repository}. Devices take it with what this writes:`,
      `  ${device} --public-key ${options.key ?? publicKeyFile} --output DIR`,
    ].join('\n'),
  );
  output.document({
    imported: tags.map(({ repository, tag, digest, signedAs }) => ({ repository, tag, digest, signedAs })),
    policy: { prefix: options.to, signedPrefix: image.repository },
  });
  return EXIT.ok;
}
