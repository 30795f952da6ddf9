/** Finds what a record names and the registry lacks: tags, entries of indexes, blobs and signatures. */
import type { KeyObject } from 'node:crypto';
import { predicateName } from '../../model/attestation/statement.ts';
import { indexEntries } from '../../model/oci/manifest.ts';
import { parseReference, type Reference } from '../../model/oci/reference.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { signedNames, unsignedTags } from '../trust/signatures.ts';
import type { Difference } from './change.ts';

/**
 * What is incomplete, or not signed by the key for its name. When nothing is missing, all that the record and the
 * request name was read now, down to the blobs, and its signatures were verified.
 */
export async function missingFrom(
  access: RegistryAccess,
  record: ReleaseRecord,
  request: Pick<ReleaseRequest, 'alsoTag' | 'updateFrom' | 'disks'>,
  publicKey: KeyObject,
): Promise<Difference[]> {
  const { reference, digest } = record.image;
  if (digest === null) return [];
  const disks = record.disks.filter(({ type }) => request.disks.some((disk) => disk.type === type));
  const found = await Promise.all([
    missingOf(access, 'image', { reference, digest }, publicKey),
    missingTags(access, { reference, digest }, request, publicKey),
    ...disks.map((disk) =>
      disk.reference === null || disk.digest === null
        ? []
        : missingOf(access, disk.type, { reference: disk.reference, digest: disk.digest }, publicKey),
    ),
    missingAttestations(access, record),
  ]);
  return found.flat();
}

/** An image or disk in the record. */
interface Recorded {
  reference: string;
  digest: string;
}

async function missingOf(
  access: RegistryAccess,
  subject: Exclude<Difference['subject'], 'release'>,
  { reference, digest }: Recorded,
  publicKey: KeyObject,
): Promise<Difference[]> {
  const what = subject === 'image' ? `image ${reference}` : `disk ${subject} ${reference}`;
  const { repository, tag } = referenceFrom(reference);
  const there = await access.repository(repository).headManifest(tag);
  if (there === null) return [{ subject, reason: `${what} is gone`, replaces: false }];
  if (there !== digest) return [{ subject, reason: `${what} was moved`, replaces: true }];
  const { manifest, missing: lost } = await access.repository(repository).inspect(digest);
  if (lost !== null) return [{ subject, reason: `${what} has lost ${lost}`, replaces: false }];
  const unsigned = await unsignedTags(access, publicKey, { repository, digest, tags: [tag] });
  const untagged = manifest ? await untaggedEntries(access, repository, indexEntries(manifest, [tag])) : [];
  return [
    ...(unsigned.length > 0 ? [`${what} is not signed for ${unsigned.join(', ')}`] : []),
    ...untagged.map((name) => `${repository}:${name} is not the entry of ${what}`),
  ].map((reason) => ({ subject: 'release', reason, replaces: false }));
}

/** An attestation cannot be made without making what it is about: it tells how that was made. */
async function missingAttestations(
  access: RegistryAccess,
  { image, disks, attestations = [] }: ReleaseRecord,
): Promise<Difference[]> {
  const found = await Promise.all(
    attestations.map(async ({ subject, predicateType, digest }): Promise<Difference[]> => {
      const { reference } = subject === 'image' ? image : (disks.find(({ type }) => type === subject) ?? image);
      const { repository } = referenceFrom(reference ?? image.reference);
      if ((await access.repository(repository).headManifest(digest)) !== null) return [];
      const reason = `${subject} has lost its ${predicateName(predicateType)} ${digest}`;
      return [{ subject, reason, replaces: true }];
    }),
  );
  return found.flat();
}

/** The missing tags of an index's entries. */
async function untaggedEntries(
  access: RegistryAccess,
  repository: string,
  entries: ReturnType<typeof indexEntries>,
): Promise<string[]> {
  const untagged: string[] = [];
  for (const { digest, tags } of entries) {
    for (const name of tags) {
      if ((await access.repository(repository).headManifest(name)) !== digest) untagged.push(name);
    }
  }
  return untagged;
}

/**
 * Further tags that the image never had, or that are gone, and the tag that machines follow if it is not signed for it.
 * A tag that the image is signed for may point elsewhere by now: another release or a person decided that.
 */
async function missingTags(
  access: RegistryAccess,
  { reference, digest }: Recorded,
  { alsoTag, updateFrom }: Pick<ReleaseRequest, 'alsoTag' | 'updateFrom'>,
  publicKey: KeyObject,
): Promise<Difference[]> {
  const { repository, tag: own } = referenceFrom(reference);
  const isFurther = ![own, ...alsoTag].includes(updateFrom);
  if (alsoTag.length === 0 && !isFurther) return [];
  const names = await signedNames(access, repository, digest, publicKey);
  const isSigned = (tag: string) => names.includes(`${repository}:${tag}`);
  const found = await Promise.all(
    alsoTag.map(async (tag): Promise<string[]> => {
      if (!isSigned(tag)) return [`${reference} was not tagged ${tag}`];
      return (await access.repository(repository).headManifest(tag)) === null ? [`${repository}:${tag} is gone`] : [];
    }),
  );
  const unsigned = isFurther && !isSigned(updateFrom) ? [`${reference} is not signed for ${updateFrom}`] : [];
  return [...found.flat(), ...unsigned].map((reason) => ({ subject: 'release', reason, replaces: false }));
}

function referenceFrom(text: string): Required<Pick<Reference, 'repository' | 'tag'>> {
  const parsed = parseReference(text);
  if (!parsed.ok) throw new FlightlineError('unexpected', parsed.problem);
  const { repository, tag } = parsed.reference;
  if (tag === undefined) throw new FlightlineError('unexpected', `the record names ${text}, which has no tag`);
  return { repository, tag };
}
