/** The `record` activity: publishes the release's result as a signed artifact, which is tagged last of all. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { Task } from '../tools/process/task.ts';
import type { RecordInput } from '../../model/contract/sign.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordArtifact } from '../../model/release/record-artifact.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey, type OpenedKey } from '../trust/keys.ts';
import { audit } from '../trust/sign.ts';
import { signDigest, type SignatureWritten } from '../trust/signatures.ts';
import { moveTags } from './tag.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { sendArtifact } from '../tools/registry/send-artifact.ts';
import { verifyDigest } from '../trust/verify.ts';
import type { WorkerBody } from '../server.ts';

/** The `record` activity of sign workers. */
async function recordRelease(
  worker: { configuration: WorkerConfiguration },
  input: RecordInput,
  context: Task,
): Promise<ActivityAnswer<'record'>> {
  const { repository } = input;
  const key = await openKey(worker.configuration, input.key, [repository]);
  const repositories = [repository, ...(input.shared ? [input.shared.repository] : [])];
  return withRegistryAccess(worker.configuration, repositories, async (access) => ({
    digest: await writeRecord(access, key, input, audit(context, input.key, input.release)),
  }));
}

/** Publishes, signs and verifies a record, then tags it. @returns its digest */
export async function writeRecord(
  access: RegistryAccess,
  key: OpenedKey,
  input: Pick<RecordInput, 'repository' | 'tags' | 'shared' | 'record' | 'timing'>,
  written: (signature: SignatureWritten) => void,
): Promise<string> {
  const { repository, tags, record, timing } = input;
  const digest = await pushRecord(access, repository, record, timing.command);
  const subject = { repository, digest, tags };
  await signDigest(access, key, subject, { timeout: timing.command, written });
  await verifyDigest(access, key, subject, timing.command);
  // The record may move its tag where the release may move its own.
  const named = await tagsToMove(access, input);
  const expected = { leftBy: record.image.reference.slice(0, record.image.reference.lastIndexOf(':')) };
  const moves = named.map((tag) => ({ repository, tag, digest, expected }));
  const { vanished } = await moveTags(access, key, moves, timing.command);
  if (vanished.length > 0)
    throw new FlightlineError('registry', `${repository}@${digest} vanished while it was tagged`);
  return digest;
}

/**
 * The tags that the record gets. A shared tag that another release has moved meanwhile belongs to that one's record.
 */
async function tagsToMove(
  access: RegistryAccess,
  { tags, shared }: Pick<RecordInput, 'tags' | 'shared'>,
): Promise<string[]> {
  if (!shared) return tags;
  const kept: string[] = [];
  for (const tag of tags) {
    const isLost =
      shared.tags.includes(tag) && (await access.repository(shared.repository).headManifest(tag)) !== shared.digest;
    if (!isLost) kept.push(tag);
  }
  return kept;
}

/** Pushes the record by digest, without a tag, unless the registry has it. @returns its digest */
async function pushRecord(
  access: RegistryAccess,
  repository: string,
  record: ReleaseRecord,
  timeout: number,
): Promise<string> {
  const { bytes, blob, layout } = recordArtifact(record);
  const { digest } = layout.root;
  if ((await access.repository(repository).headManifest(digest)) !== null) return digest;
  await sendArtifact(access, { repository }, { layout, blobs: [{ digest: blob, bytes }] }, { timeout });
  return digest;
}

export default recordRelease satisfies WorkerBody<'record'>;
