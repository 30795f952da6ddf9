/** The last release of a project as its signed record in the registry tells it, and what has changed since. */
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { parseReference, type Reference } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { changeSince, isTooOld, lastTags, reasonOf, type Change, type Current } from './change.ts';
import { readRecord } from '../trust/record.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { headManifest } from '../tools/registry/registry.ts';

/** What is to be made, compared with the last release. */
export type SinceLast =
  | { change: 'none' | 'disks'; record: ReleaseRecord; reason: string }
  | { change: 'image'; record: ReleaseRecord | null; reason: string; fresh: boolean };

/**
 * Compares with the last release. The record counts only if it is signed by the request's key for its name, and all
 * that it names is there; whatever it is that does not, is a reason.
 *
 * @param look looks up what a release would be made of now; not called when there is nothing to compare with
 */
export async function sinceLastRelease(
  access: RegistryAccess,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
  look: (record: ReleaseRecord) => Promise<Current>,
): Promise<SinceLast> {
  const last = await lastRecord(access, request, configuration);
  if (typeof last === 'string') return { change: 'image', record: null, reason: last, fresh: false };
  const { record, name } = last;
  const now = new Date();
  const [inputs, missing] = await Promise.all([
    look(record).then((current) => changeSince(record, current, now)),
    missingFrom(access, record),
  ]);
  const image = [...inputs.image, ...missing.image, ...(await movedName(access, record, name))];
  const disks = [...inputs.disks, ...missing.disks];
  const reason = reasonOf([...image, ...disks]);
  if (image.length > 0) {
    return { change: 'image', record, reason, fresh: isTooOld(record, request.rebuild?.maxAge ?? null, now) };
  }
  if (disks.length > 0) return { change: 'disks', record, reason };
  return { change: 'none', record, reason: `nothing has changed since ${record.image.reference}` };
}

/** The record and the name under which it was found, or why there is none to go by. */
async function lastRecord(
  access: RegistryAccess,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<{ record: ReleaseRecord; name: string } | string> {
  const { repository, recordRepository, key } = request;
  const tags = lastTags(request);
  for (const tag of tags) {
    const digest = await headManifest(access, recordRepository, tag);
    if (digest === null) continue;
    const publicKey = configuration.keys[key]?.publicKey ?? null;
    if (publicKey === null) return `the control worker has no public key of ${key} to verify records with`;
    const record = await readRecord(access, recordRepository, tag, publicKey);
    if (!record) return `record ${recordRepository}:${tag} not signed by key ${key}`;
    const own = tagOf(record.image.reference, repository);
    if (own === undefined) return `record ${recordRepository}:${tag} is of ${record.image.reference}`;
    if (own !== tag && (await headManifest(access, recordRepository, own)) !== digest) {
      return `record ${recordRepository}:${own} is gone or was replaced`;
    }
    return { record, name: `${repository}:${tag}` };
  }
  return `no record of an earlier release in ${recordRepository} (looked for ${tags.join(', ')})`;
}

/** The tag of a reference of this repository; undefined for another. */
function tagOf(reference: string, repository: string): string | undefined {
  const parsed = parseReference(reference);
  return parsed.ok && parsed.reference.repository === repository ? parsed.reference.tag : undefined;
}

/** The name by which the record was found must be the image's. */
async function movedName(access: RegistryAccess, record: ReleaseRecord, name: string): Promise<string[]> {
  if (name === record.image.reference) return [];
  const { repository, tag } = referenceFrom(name);
  return (await headManifest(access, repository, tag!)) === record.image.digest ? [] : [`${name} was moved`];
}

/** What of a record is not in the registry as it says. */
export async function missingFrom(access: RegistryAccess, record: ReleaseRecord): Promise<Change> {
  const gone = async (reference: string | null, digest: string | null, what: string): Promise<string[]> => {
    if (reference === null || digest === null) return [];
    const { repository, tag } = referenceFrom(reference);
    const there = await headManifest(access, repository, tag!);
    if (there === digest) return [];
    return [there === null ? `${what} ${reference} is gone` : `${what} ${reference} was moved`];
  };
  const [image, ...disks] = await Promise.all([
    gone(record.image.reference, record.image.digest, 'image'),
    ...record.disks.map((disk) => gone(disk.reference, disk.digest, `disk ${disk.type}`)),
  ]);
  return { image, disks: disks.flat() };
}

function referenceFrom(text: string): Reference {
  const parsed = parseReference(text);
  if (!parsed.ok) throw new FlightlineError('unexpected', parsed.problem);
  return parsed.reference;
}
