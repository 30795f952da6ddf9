/** `flightline diff`: what differs between two images in their registries. */
import { withUserAccess, type RegistryAccess } from '../../activities/tools/registry/access.ts';
import { platformImages } from '../../activities/tools/stored-image.ts';
import { fullReference } from '../../activities/trust/verify.ts';
import { imageDiff } from '../../model/oci/image-diff.ts';
import { Digest, formatReference, Tag, type Reference } from '../../model/oci/reference.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { renderDiff } from '../view/diff.ts';

export default verb({
  group: 'release',
  summary: 'compare two images: layers, sizes, configuration',
  description:
    'Compare two images in their registries: layers, sizes, configuration, and what a machine with the first fetches ' +
    'for the second. Nothing is pulled, and no signature is looked at.',
  examples: ['flightline diff quay.io/acme/edge-camera:v1 v2', 'flightline diff quay.io/acme/edge-camera:v1 v2 --json'],
  json: { help: 'print JSON', schemas: ['diff'] },

  syntax: (command) =>
    command
      .argument('<from>', 'REPOSITORY:TAG, or by digest')
      .argument('<to>', 'the same, or only a tag or digest of the same repository'),

  /** Images that differ are no failure: the exit code is 0. */
  async run([from, to], _, output) {
    const before = fullReference(from);
    const next = besides(before, to);
    const [images, others] = await withUserAccess((access) => Promise.all([read(access, before), read(access, next)]));
    const diff = imageDiff(
      { reference: formatReference(before), images },
      { reference: formatReference(next), images: others },
    );
    output.result(renderDiff(diff, output.colour.result).join('\n'));
    output.document(diff);
    return EXIT.ok;
  },
});

function besides({ repository }: Reference, text: string): Reference {
  if (Tag.safeParse(text).success) return { repository, tag: text };
  if (Digest.safeParse(text).success) return { repository, digest: text };
  return fullReference(text);
}

function read(access: RegistryAccess, { repository, tag, digest }: Reference) {
  return platformImages(access.repository(repository), digest ?? tag!);
}
