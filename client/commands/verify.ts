/** `flightline verify`: would a device that knows only this key take what the registry has under this name? */
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { verifyAsDevice } from '../../activities/trust/verify.ts';
import { publicKeyOr } from '../project/public-key.ts';
import { KEY_OPTION } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { style } from '../view/style.ts';

/** What a person calls what was pulled. */
const KINDS = {
  image: 'image',
  artifact: 'disk artifact',
  'container-disk': 'container disk',
  record: 'release record',
  context: 'context',
} as const;

export default verb({
  group: 'trust',
  summary: 'verify an image or disk as a device would',
  description:
    'Verify an image, disk artifact or container disk in a registry as a device would: all ' +
    'is refused but what the key signed for that name.',
  examples: ['flightline verify quay.io/acme/edge-camera:v1 --key release.pub'],
  json: { help: 'print JSON', schemas: ['verify'] },

  syntax: (command) => command.argument('<reference>', 'REPOSITORY:TAG').option(...KEY_OPTION),

  /** What a device would refuse ends with exit code 1. */
  async run([reference], options, output) {
    const key = await publicKeyOr(options.key);
    const found = await withUserAccess((registry) => verifyAsDevice({ reference, publicKey: key, access: registry }));
    const paint = style(output.colour.result);
    const type = found.artifactType ?? found.mediaType;
    const platforms = found.platforms ? ` for ${found.platforms.join(', ')}` : '';
    output.result(
      [
        `${reference}: ${KINDS[found.kind]}${platforms} (${type})`,
        `  ${found.digest}`,
        `  verified as a device would: ${paint.green('yes')}`,
        `  signed by this key for: ${found.signedNames.join(', ')}`,
      ].join('\n'),
    );
    output.document({ reference, verified: true, ...found });
    return EXIT.ok;
  },
});
