/** Verifies all of a bundle by a public key, before anything is done with it. */
import type { KeyObject } from 'node:crypto';
import type { RepositoryReader } from '../../activities/tools/registry/reading/manifest-reader.ts';
import { readVerifiedRecord } from '../../activities/trust/record.ts';
import { attestedByTag } from '../../activities/trust/attest/read-attested.ts';
import { unsignedTags } from '../../activities/trust/signatures.ts';
import { namedRepository } from '../../model/attestation/provenance.ts';
import { predicateName } from '../../model/attestation/statement.ts';
import { indexEntries } from '../../model/oci/manifest.ts';
import { parseReference, type Reference } from '../../model/oci/reference.ts';
import {
  bundleSubjects,
  isAttachedTo,
  policyArtifact,
  POLICY_NAME,
  type BundleRoot,
  type BundleSubject,
} from '../../model/bundle/bundle.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { damaged } from './pack-bundle.ts';
import type { Bundle } from './bundle.ts';

/** A record, with what it is of, in the order in which tags move. */
interface VerifiedRelease {
  record: ReleaseRecord;
  subjects: BundleSubject[];
}

/**
 * The release of a name, whose record and digests the key has signed, from a registry or a bundle.
 *
 * @throws UserError `signature-rejected`
 */
export async function verifiedRelease(
  from: RepositoryReader,
  named: { image: Reference; record: Reference },
  key: KeyObject,
): Promise<VerifiedRelease> {
  const { repository, tag } = named.record;
  const found = await readVerifiedRecord(from, { repository, tag: tag! }, key);
  if (!found?.record.image.digest) throw refused(`there is no record ${repository}:${tag} that the key signed`);
  const subjects = bundleSubjects(found.record, named.image, named.record, found.digest);
  for (const subject of subjects) {
    const name = `${subject.repository}:${subject.tag}`;
    const stored = await from.repository(subject.repository).getManifest(subject.tag);
    if (stored?.digest !== subject.digest) {
      throw refused(`${name} points at ${stored?.digest ?? 'nothing'}, and its record says ${subject.digest}`);
    }
    const unsigned = await unsignedTags(from, key, { ...subject, tags: [subject.tag] });
    if (unsigned.length > 0) throw refused(`${subject.repository}:${unsigned[0]} is not signed by the key`);
  }
  await requireAttested(from, found.record, named.image.repository, key);
  return { record: found.record, subjects };
}

/** @throws UserError `signature-rejected` unless all that the record calls attested is, by the key */
async function requireAttested(
  from: RepositoryReader,
  { attestations = [], disks }: ReleaseRecord,
  image: string,
  publicKey: KeyObject,
): Promise<void> {
  for (const { subject, of, predicateType } of attestations) {
    const disk = disks.find(({ type }) => type === subject)?.reference;
    const repository = subject === 'image' ? image : disk && namedRepository(disk);
    // By the tag: a key that followed another has attested there too, and the record names the first one's bundles.
    const found = repository
      ? await attestedByTag(from.repository(repository), { digest: of, predicateType, publicKey })
      : [];
    if (found.length === 0) {
      throw refused(`the ${predicateName(predicateType)} of ${of} is missing, or the key did not sign it`);
    }
  }
}

/** What a bundle holds, all of it verified. */
export interface VerifiedBundle extends VerifiedRelease {
  image: Reference;
  /** Tags of an index's entries. */
  entryTags: BundleSubject[];
  /** Roots beside a digest: signatures and what else has a tag there. */
  attached: { repository: string; tag: string; root: BundleRoot }[];
  /** Manifests that name another as their subject, and have no tag. */
  referrers: { repository: string; subject: string; root: BundleRoot }[];
}

/**
 * Verifies a bundle: its record and digests are signed, and it holds nothing that does not hang on them.
 *
 * @throws UserError `signature-rejected`, `bundle-damaged`
 */
export async function verifiedBundle(bundle: Bundle, key: KeyObject): Promise<VerifiedBundle> {
  const named = { image: nameOf(bundle.index.image), record: nameOf(bundle.index.record) };
  const release = await verifiedRelease(bundle, named, key);
  const held: { repository: string; digest: string }[] = [];
  const entryTags: BundleSubject[] = [];
  for (const { repository, tag, digest } of release.subjects) {
    held.push({ repository, digest });
    for (const entry of indexEntries(bundle.manifest(digest).manifest, [tag])) {
      held.push({ repository, digest: entry.digest });
      const own = entry.tags.filter((one) => bundle.root(`${repository}:${one}`)?.digest === entry.digest);
      entryTags.push(...own.map((one) => ({ repository, tag: one, digest: entry.digest })));
    }
  }
  const roots = new Set(bundle.index.roots);
  for (const { repository, tag } of [...release.subjects, ...entryTags])
    roots.delete(bundle.root(`${repository}:${tag}`)!);
  requirePolicy(bundle, release.record, named.image.repository, key, roots);
  const { attached, referrers } = takeAttached(bundle, held, roots);
  const [other] = roots;
  if (other) throw damaged(`it holds ${other.name}, which belongs to nothing in it`);
  return { ...release, image: named.image, entryTags, attached, referrers };
}

/** Takes what hangs on what is held, and what hangs on that, from the roots. */
function takeAttached(
  bundle: Bundle,
  held: { repository: string; digest: string }[],
  roots: Set<BundleRoot>,
): Pick<VerifiedBundle, 'attached' | 'referrers'> {
  const attached: VerifiedBundle['attached'] = [];
  const referrers: VerifiedBundle['referrers'] = [];
  for (let before = -1; before !== roots.size;) {
    before = roots.size;
    for (const root of roots) {
      const [repository, tag] = splitName(root.name);
      const subject = subjectOf(bundle.manifest(root.digest).manifest);
      if (isAttachedTo(root.name, held)) attached.push({ repository, tag, root });
      else if (
        root.name === `${repository}@${root.digest}` &&
        held.some((one) => one.repository === repository && one.digest === subject)
      ) {
        referrers.push({ repository, subject: subject!, root });
      } else continue;
      roots.delete(root);
      held.push({ repository, digest: root.digest });
    }
  }
  return { attached, referrers };
}

/** The digest that a manifest speaks of (OCI image specification v1.1, `subject`). */
function subjectOf(manifest: object): string | undefined {
  const { subject } = manifest as { subject?: { digest?: unknown } };
  return typeof subject?.digest === 'string' ? subject.digest : undefined;
}

function splitName(name: string): [repository: string, tag: string] {
  const at = name.includes('@') ? name.indexOf('@') : name.lastIndexOf(':');
  return [name.slice(0, at), name.slice(at + 1)];
}

function requirePolicy(
  bundle: Bundle,
  record: ReleaseRecord,
  repository: string,
  key: KeyObject,
  roots: Set<BundleRoot>,
): void {
  const root = bundle.root(POLICY_NAME);
  const publicKey = key.export({ type: 'spki', format: 'pem' }).toString();
  if (root?.digest !== policyArtifact(record, repository, publicKey).layout.root.digest) {
    throw damaged('its device policy is not that of the release and the key');
  }
  roots.delete(root);
}

function nameOf(text: string): Reference {
  const parsed = parseReference(text);
  if (parsed.ok && parsed.reference.tag !== undefined && parsed.reference.digest === undefined) return parsed.reference;
  throw damaged(`"${text}" is not a name with a tag`);
}

function refused(what: string): UserError {
  const remedy = 'name the key that the release was signed with (--key), and ask its owner whether it is theirs';
  return new UserError('signature-rejected', what, remedy, EXIT.failed);
}
