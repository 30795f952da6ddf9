/** How the tags of a repository stand between two keys. Reads only. */
import type { KeyObject } from 'node:crypto';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { bundleSubjects, type BundleSubject } from '../../model/bundle/bundle.ts';
import { entryTag } from '../../model/oci/reference.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordTime } from '../../model/release/prune.ts';
import type { RotationGroup, RotationReason, RotationRequest } from '../../model/tags/rotation.ts';
import { isAttached } from '../prune/attached.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { together } from '../tools/together.ts';
import { readVerifiedRecord } from '../trust/record.ts';
import { unsignedTags } from '../trust/signatures.ts';
import { missingAttestations } from './attestations.ts';

/** What a decision needs. */
export interface RotationGround {
  access: RegistryAccess;
  request: RotationRequest;
  old: KeyObject;
  next: KeyObject;
}

/** A tag of the image's repository. */
interface RotationDecision {
  tag: string;
  reason: RotationReason;
  /** Image, disks and record, each with the name that it must be signed for. Empty for what is no release. */
  parts: readonly BundleSubject[];
}

/** A tag that lists referrers, for a registry without an API for them. */
const REFERRERS = /^sha256-[0-9a-f]{64}$/;

interface Found {
  tag: string;
  release: { record: ReleaseRecord; digest: string } | null;
}

/** Decides about all tags, in the order of the registry's list. */
export async function decideRotation(ground: RotationGround): Promise<RotationDecision[]> {
  const { access, request } = ground;
  const names = (await access.repository(request.repository).listTags()).filter(
    (tag) => !isAttached(tag) && !REFERRERS.test(tag),
  );
  const found = await together(names, (tag) => findRelease(ground, tag));
  const old = oldOnes(found, request);
  const entries = new Set(
    found.flatMap(({ tag, release }) => (release ? ARCHITECTURES.map((one) => entryTag(tag, one)) : [])),
  );
  const asked = found.filter(({ tag, release }) => release !== null || !entries.has(tag));
  return together(asked, async (one) => {
    const parts = one.release ? partsOf(request, one.tag, one.release) : [];
    if (!one.release) return { tag: one.tag, reason: 'foreign' as const, parts };
    return { tag: one.tag, reason: old.has(one.tag) ? ('old' as const) : await stateOf(ground, parts), parts };
  });
}

/** Groups of tags for which the same holds, in the order in which they come up. Pure. */
export function groupRotation(decisions: readonly RotationDecision[]): RotationGroup[] {
  const groups = new Map<RotationReason, string[]>();
  for (const { reason, tag } of decisions) groups.set(reason, [...(groups.get(reason) ?? []), tag]);
  return [...groups].map(([reason, tags]) => ({ reason, tags }));
}

async function findRelease({ access, request, old, next }: RotationGround, tag: string): Promise<Found> {
  for (const key of [old, next]) {
    const release = await readVerifiedRecord(access, { repository: request.recordRepository, tag }, key);
    if (release?.record.image.digest) return { tag, release };
  }
  return { tag, release: null };
}

function partsOf(
  { repository, recordRepository }: RotationRequest,
  tag: string,
  { record, digest }: NonNullable<Found['release']>,
): BundleSubject[] {
  return bundleSubjects(record, { repository, tag }, { repository: recordRepository, tag }, digest);
}

/** The releases that --keep-last leaves out. A further name of a release is always live: devices may follow it. */
function oldOnes(found: readonly Found[], { repository, keepLast }: RotationRequest): Set<string> {
  if (keepLast === null) return new Set();
  const own = found.flatMap(({ tag, release }) =>
    release?.record.image.reference === `${repository}:${tag}` ? [{ tag, at: recordTime(release.record) }] : [],
  );
  return new Set(
    own
      .sort((left, right) => right.at - left.at)
      .slice(keepLast)
      .map(({ tag }) => tag),
  );
}

async function stateOf(
  ground: RotationGround,
  parts: readonly BundleSubject[],
): Promise<'signed' | 'unsigned' | 'incomplete'> {
  const { access, old, next } = ground;
  let isSigned = true;
  for (const { repository, tag, digest } of parts) {
    if ((await access.repository(repository).headManifest(tag)) !== digest) return 'incomplete';
    const subject = { repository, digest, tags: [tag] };
    if (isSigned) isSigned = (await missingAttestations(ground, { repository, digest })).length === 0;
    if ((await unsignedTags(access, next, subject)).length === 0) continue;
    isSigned = false;
    // Only what the old key says of this very name is said by the new one.
    if ((await unsignedTags(access, old, subject)).length > 0) return 'incomplete';
  }
  return isSigned ? 'signed' : 'unsigned';
}
