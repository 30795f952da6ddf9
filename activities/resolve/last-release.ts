/** Compares with an earlier release by its signed record: what has changed since, and what is missing. */
import type { KeyObject } from 'node:crypto';
import { isOfParts, type GateVerdict } from '../../model/gate/gate.ts';
import type { KeptPlatform, ReleaseRecord } from '../../model/release/record.ts';
import { parseReference } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { diskSubject, imageSubject } from '../../model/stage/stage.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { changeSince, isTooOld, type Current, type Difference } from './change.ts';
import { missingFrom } from './missing-from.ts';
import { reasonOf } from './reason.ts';
import { readPublicKey } from '../trust/keys.ts';
import { readVerifiedRecord } from '../trust/record.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';

/** What to make, compared with an earlier release. */
export type SinceLast =
  | { change: 'none' | 'part'; record: ReleaseRecord; differences: readonly Difference[]; reason: string }
  | {
      change: 'image';
      record: ReleaseRecord | null;
      differences: readonly Difference[];
      reason: string;
      /** Builds without cache. */
      fresh: boolean;
      /** Platforms of the record that are not built again. */
      kept: readonly KeptPlatform[];
    };

/**
 * Compares with the last release. Its record counts only if the request's key signed it for its name. What the record
 * names and the registry lacks is a difference too.
 *
 * @param look looks up the inputs now; not called when there is nothing to compare with
 */
export async function sinceLastRelease(
  access: RegistryAccess,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
  look: (record: ReleaseRecord) => Promise<Current>,
): Promise<SinceLast> {
  const last = await lastRecord(access, request, configuration);
  if (typeof last === 'string') return nothingToCompare(last);
  const moved = await movedName(access, last.record, last.name);
  return sinceRecord(access, request, last, look, moved);
}

/**
 * Compares with the release of the request's own tag, if the request's key signed its record.
 */
export async function sinceOwnTag(
  access: RegistryAccess,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
  look: (record: ReleaseRecord) => Promise<Current>,
): Promise<SinceLast> {
  const key = await keyOf(configuration, request.key);
  if (!key) return nothingToCompare(noPublicKey(request.key));
  const found = await readVerifiedRecord(access, { repository: request.recordRepository, tag: request.tag }, key);
  if (!found) return nothingToCompare('no verified record of it is in the registry');
  const { record } = found;
  const moved = await movedName(access, record, `${request.repository}:${request.tag}`);
  return sinceRecord(access, request, { record, key }, look, moved);
}

function nothingToCompare(reason: string): SinceLast {
  const differences = [{ subject: 'image', reason, replaces: true } as const];
  return { change: 'image', record: null, differences, reason, fresh: false, kept: [] };
}

/** The tags that the last record may have, the likeliest first. */
export function lastTags(request: Pick<ReleaseRequest, 'tag' | 'alsoTag' | 'rebuild'>): string[] {
  const last = request.rebuild?.last ?? null;
  return [...new Set([...request.alsoTag.slice(0, 1), ...(last === null ? [] : [last]), request.tag])];
}

async function sinceRecord(
  access: RegistryAccess,
  request: ReleaseRequest,
  { record, key }: { record: ReleaseRecord; key: KeyObject },
  look: (record: ReleaseRecord) => Promise<Current>,
  moved: readonly Difference[],
): Promise<SinceLast> {
  const now = new Date();
  const [changed, missing] = await Promise.all([
    look(record).then((current) => changeSince(record, current, now)),
    missingFrom(access, record, request, key),
  ]);
  const differences = [...changed, ...missing, ...moved];
  const ofImage = differences.filter(({ subject }) => subject === 'image');
  if (ofImage.length > 0) {
    const fresh = isTooOld(record, request.rebuild?.maxAge ?? null, now);
    const others = differences.filter(({ subject }) => subject !== 'image');
    const kept = keptPlatforms(record, request, differences);
    const reason = reasonOf([
      ...ofImage,
      ...others,
      ...kept.map(({ platform }) => ({ reason: `linux/${platform} stays as it is` })),
    ]);
    return { change: 'image', record, differences, reason, fresh, kept };
  }
  if (differences.length > 0) return { change: 'part', record, differences, reason: reasonOf(differences) };
  return { change: 'none', record, differences, reason: `nothing has changed since ${record.image.reference}` };
}

/** The platforms that no difference concerns, where only bases have changed, with the disks that are not made again. */
function keptPlatforms(
  { image, disks, inputs, stages, attestations = [] }: ReleaseRecord,
  { repository, updateFrom, ...request }: Pick<ReleaseRequest, 'repository' | 'updateFrom' | 'disks'>,
  differences: readonly Difference[],
): KeptPlatform[] {
  const ofImage = differences.filter(({ subject }) => subject === 'image');
  if (ofImage.some(({ platform }) => platform === undefined)) return [];
  const again = new Set(differences.map(({ subject }) => subject));
  // A disk contains the name that its machines follow.
  const stays = disks.filter(({ type, updateFrom: follows }) => {
    return (
      !again.has(type) && follows === `${repository}:${updateFrom}` && request.disks.some((one) => one.type === type)
    );
  });
  return (image.platforms ?? []).flatMap(({ platform, digest, builtAt }): KeptPlatform[] => {
    if (digest === null || ofImage.some((one) => one.platform === platform)) return [];
    const row = stages.find(({ name, subject }) => name === 'build' && subject === imageSubject(platform));
    const built = image.builtAt ?? builtAt ?? row?.startedAt ?? undefined;
    const kept = stays.flatMap(({ type, platforms = [] }) => {
      const one = platforms.find((each) => each.platform === platform);
      const input = inputs?.disks[diskSubject(type, platform)];
      return one?.file && input !== undefined ? [{ type, digest: one.digest, file: one.file, inputs: input }] : [];
    });
    const attested = attestations.filter(({ subject, of }) => subject === 'image' && of === digest);
    return [
      {
        platform,
        digest,
        ...(built !== undefined && { builtAt: built }),
        disks: kept,
        ...(attested.length > 0 && { attestations: attested }),
      },
    ];
  });
}

function noPublicKey(name: string): string {
  return `the control worker has no public key of ${name} to verify records with`;
}

/** Null when the worker has no public key of that name. */
async function keyOf(configuration: WorkerConfiguration, name: string): Promise<KeyObject | null> {
  const path = configuration.keys[name]?.publicKey;
  return path === undefined ? null : readPublicKey(path).catch(() => null);
}

/** The record and its tag, or why there is none to compare with. */
async function lastRecord(
  access: RegistryAccess,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<{ record: ReleaseRecord; name: string; key: KeyObject } | string> {
  const { repository, recordRepository } = request;
  const tags = lastTags(request);
  for (const tag of tags) {
    const digest = await access.repository(recordRepository).headManifest(tag);
    if (digest === null) continue;
    const key = await keyOf(configuration, request.key);
    if (key === null) return noPublicKey(request.key);
    const found = await readVerifiedRecord(access, { repository: recordRepository, tag }, key);
    if (!found) return `record ${recordRepository}:${tag} not signed by key ${request.key}`;
    const { record } = found;
    const own = tagOf(record.image.reference, repository);
    if (own === undefined) return `record ${recordRepository}:${tag} is of ${record.image.reference}`;
    if (own !== tag && (await access.repository(recordRepository).headManifest(own)) !== digest) {
      return `record ${recordRepository}:${own} is gone or was replaced`;
    }
    return { record, name: `${repository}:${tag}`, key };
  }
  return `no record of an earlier release in ${recordRepository} (looked for ${tags.join(', ')})`;
}

/** The tag of a reference in this repository; undefined in others. */
function tagOf(reference: string, repository: string): string | undefined {
  const parsed = parseReference(reference);
  return parsed.ok && parsed.reference.repository === repository ? parsed.reference.tag : undefined;
}

/** The tag of the record must be the image's. */
async function movedName(access: RegistryAccess, record: ReleaseRecord, name: string): Promise<Difference[]> {
  if (name === record.image.reference) return [];
  const colon = name.lastIndexOf(':');
  const there = await access.repository(name.slice(0, colon)).headManifest(name.slice(colon + 1));
  return there === record.image.digest ? [] : [{ subject: 'image', reason: `${name} was moved`, replaces: true }];
}

/** What gates said of the parts that are taken over: the image and disk types, or whole platforms. */
export function verdictsTakenOver(
  record: Pick<ReleaseRecord, 'gates'> | null | undefined,
  parts: readonly string[] | readonly KeptPlatform[],
): { gated?: GateVerdict[] } {
  const subjects = parts.flatMap((part) =>
    typeof part === 'string'
      ? []
      : [imageSubject(part.platform), ...part.disks.map(({ type }) => diskSubject(type, part.platform))],
  );
  const types = parts.filter((part) => typeof part === 'string');
  const gated = (record?.gates ?? []).filter((one) => subjects.includes(one.subject) || isOfParts(one, types));
  return gated.length > 0 ? { gated } : {};
}
