/** The activities of control workers for shared tags: ask a tag's workflow to move it, look at it, plan a rollback. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PlanRollbackInput, RollbackPlan } from '../../model/contract/tags.ts';
import type { ActivityContext } from '../server.ts';
import { needsApproval } from '../../model/release/approval.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { Digest } from '../../model/oci/reference.ts';
import {
  diskMoves,
  type LookAtTagInput,
  madeAt,
  MOVE_UPDATE,
  type MoveInput,
  MoveResult,
  SHARED_TAG_WORKFLOW,
  sharedTagId,
  type SharedTagInput,
  type TagNow,
} from '../../model/tags/shared-tag.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { findRecord } from '../trust/record.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { headManifest } from '../tools/registry/registry.ts';

type Worker = { configuration: WorkerConfiguration };

export async function moveSharedTag(
  _worker: Worker,
  input: MoveInput,
  { server }: ActivityContext,
): Promise<ActivityAnswer<'moveSharedTag'>> {
  const { repository, tag } = input.moves.at(-1)!;
  const start: SharedTagInput = { repository, tag, entries: [] };
  const workflow = { type: SHARED_TAG_WORKFLOW, id: sharedTagId(repository, tag), input: start };
  const summary = `${repository}:${tag}`;
  const message = { workflow: { ...workflow, summary }, update: MOVE_UPDATE, input };
  return MoveResult.parse(await server.updateWithStart(message));
}

export function lookAtTag({ configuration }: Worker, input: LookAtTagInput): Promise<ActivityAnswer<'lookAtTag'>> {
  return withRegistryAccess(configuration, [input.repository, input.recordRepository], (access) =>
    look(access, configuration, input),
  );
}

export function planRollback(
  { configuration }: Worker,
  input: PlanRollbackInput,
): Promise<ActivityAnswer<'planRollback'>> {
  return withRegistryAccess(configuration, [input.repository, input.recordRepository], (access) =>
    plan(access, configuration, input),
  );
}

/** A verified record, and the name of the key that signed it. */
interface SignedRecord {
  key: string;
  digest: string;
  record: ReleaseRecord;
}

/**
 * The record of a name, signed for it by any key of the configuration that may sign there; null without one.
 *
 * @param name.at the record's digest or another tag of it; the default is the tag.
 */
export async function recordByAnyKey(
  access: RegistryAccess,
  configuration: Pick<WorkerConfiguration, 'keys'>,
  name: { repository: string; tag: string; at?: string },
): Promise<SignedRecord | null> {
  for (const [key, { publicKey, repositories }] of Object.entries(configuration.keys)) {
    if (!isAllowed(repositories, name.repository)) continue;
    const found = await findRecord(access, name, publicKey);
    if (found) return { key, ...found };
  }
  return null;
}

async function look(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { repository, tag, recordRepository }: LookAtTagInput,
): Promise<TagNow> {
  const digest = await headManifest(access, repository, tag);
  if (digest === null) return { digest, record: null };
  const found = await recordByAnyKey(access, configuration, { repository: recordRepository, tag });
  // A record about another image does not describe what is there now.
  if (!found || found.record.image.digest !== digest) return { digest, record: null };
  const { record } = found;
  return { digest, record: { digest: found.digest, release: record.release, made: madeAt(record) } };
}

async function plan(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { repository, tag, recordRepository, record: at }: PlanRollbackInput,
): Promise<RollbackPlan> {
  if (needsApproval(configuration.approvals, [{ repository, tags: [tag] }])) {
    throw new FlightlineError(
      'approval-needed',
      `${repository}:${tag} moves only with approval; a rollback asks for none`,
      {
        remedy: {
          action:
            `promote what it is to be, which waits for approval: \`flightline promote ${repository}:OLDER --to ` +
            `${repository}:${tag} --allow-older\``,
          then: null,
        },
      },
    );
  }
  const found = await recordByAnyKey(access, configuration, { repository: recordRepository, tag, at });
  const image = found?.record.image.digest;
  if (!found || !image) {
    throw new FlightlineError(
      'invalid-input',
      `${recordRepository}${Digest.safeParse(at).success ? '@' : ':'}${at} is not a record that a known key ` +
        `signed for ${repository}:${tag}`,
      {
        remedy: {
          action:
            `\`flightline history ${repository}:${tag}\` shows what it pointed at; promote a release that ` +
            'never had this name',
          then: null,
        },
      },
    );
  }
  const { record } = found;
  const moves = [
    ...diskMoves(record, repository, tag),
    { repository, tag, digest: image, expected: 'any' as const },
    { repository: recordRepository, tag, digest: found.digest, expected: 'any' as const },
  ];
  return { key: found.key, record: found.digest, release: record.release, made: madeAt(record), moves };
}
