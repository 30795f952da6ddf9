/** `flightline diff`: what differs between two images in their registries. */
import { Option } from '@commander-js/extra-typings';
import { withUserAccess, type RegistryAccess } from '../../activities/tools/registry/access.ts';
import { platformImages } from '../../activities/tools/stored-image.ts';
import { claimedRecord } from '../../activities/trust/record.ts';
import { fullReference } from '../../activities/trust/verify.ts';
import type { RepositoryClient } from '../../activities/tools/registry/repository.ts';
import { claimedPredicate } from '../../activities/trust/attest/read-attested.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { packagesIn, type Package } from '../../model/oci/packages.ts';
import { SBOMS } from '../../model/oci/sbom.ts';
import { Digest, formatReference, Tag, type Reference } from '../../model/oci/reference.ts';
import { releaseDiff, type RecordedImage } from '../../model/documents/release-diff.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { markdownDiff, renderDiff } from '../view/diff.ts';

export default verb({
  group: 'release',
  summary: 'compare two images: packages, layers, sizes, configuration, gates',
  description:
    'Compare two images in their registries: packages where image.sbom has listed them, layers, sizes, ' +
    'configuration, what a machine with the first fetches for the second, and by the records of both tags their ' +
    'gates. Nothing is pulled, and no signature is looked at.',
  examples: [
    'flightline diff quay.io/acme/edge-camera:v1 v2',
    'flightline diff quay.io/acme/edge-camera:v1 v2 --format markdown',
  ],
  json: { help: 'print JSON', schemas: ['diff'] },

  syntax: (command) =>
    command
      .argument('<from>', 'REPOSITORY:TAG, or by digest')
      .argument('<to>', 'the same, or only a tag or digest of the same repository')
      .addOption(
        new Option('--format <format>', 'markdown: for release notes')
          .choices(['text', 'markdown'] as const)
          .default('text' as const),
      )
      .option('--record-repository <repository>', 'repositories.record of the spec; default is REPOSITORY/release'),

  /** Images that differ are no failure: the exit code is 0. */
  async run([from, to], { format, recordRepository }, output) {
    const before = fullReference(from);
    const next = besides(before, to);
    const both = await withUserAccess((access) =>
      Promise.all([read(access, before, recordRepository), read(access, next, recordRepository)]),
    );
    const diff = releaseDiff(...both);
    const lines = format === 'markdown' ? markdownDiff(diff) : renderDiff(diff, output.colour.result, output.columns);
    output.result(lines.join('\n'));
    output.document(diff);
    return EXIT.ok;
  },
});

function besides({ repository }: Reference, text: string): Reference {
  if (Tag.safeParse(text).success) return { repository, tag: text };
  if (Digest.safeParse(text).success) return { repository, digest: text };
  return fullReference(text);
}

async function read(access: RegistryAccess, named: Reference, records: string | undefined): Promise<RecordedImage> {
  const { repository, tag, digest } = named;
  const place = access.repository(repository);
  const reference = formatReference(named);
  // A tag may move meanwhile.
  const there = digest ?? (await place.headManifest(tag!));
  const images = await platformImages(place, there ?? tag!, reference);
  const [listed, record] = await Promise.all([
    Promise.all(images.map(async (one) => ({ ...one, packages: await packagesOf(place, one.image.digest) }))),
    tag === undefined ? null : claimedRecord(access, records ?? `${repository}/release`, tag).catch(noneWhenRefused),
  ]);
  // The tag may have been moved by other means since its release.
  return { reference, images: listed, record: record?.image.digest === there ? record : null };
}

/** Some registries refuse a repository that does not exist. */
function noneWhenRefused(error: unknown): null {
  if (error instanceof FlightlineError && /^registry-(?:login|denied)$/.test(error.failure.kind)) return null;
  throw error;
}

/** The packages of an image by either of its bills of materials; null when it has none. */
async function packagesOf(place: RepositoryClient, digest: string): Promise<Package[] | null> {
  for (const { predicateType } of Object.values(SBOMS)) {
    const bill = await claimedPredicate(place, digest, predicateType);
    const packages = bill === null ? null : packagesIn(bill);
    if (packages) return packages;
  }
  return null;
}
