/** The `planRollback` activity of control workers: plans a rollback of a shared tag. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PlanRollbackInput, RollbackPlan } from '../../model/contract/tags.ts';
import { needsApproval } from '../../model/release/approval.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { Digest } from '../../model/oci/reference.ts';
import { diskMoves, madeAt } from '../../model/tags/shared-tag.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { recordByAnyKey, requirePublicKey } from './record-by-any-key.ts';
import type { WorkerBody } from '../server.ts';

function planRollback(
  { configuration }: { configuration: WorkerConfiguration },
  input: PlanRollbackInput,
): Promise<ActivityAnswer<'planRollback'>> {
  return withRegistryAccess(configuration, [input.repository, input.recordRepository], (access) =>
    plan(access, configuration, input),
  );
}

async function plan(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  input: PlanRollbackInput,
): Promise<RollbackPlan> {
  const { repository, tag, recordRepository, record: at } = input;
  requireNoApproval(configuration, input, [repository, recordRepository]);
  requirePublicKey(configuration, recordRepository);
  const found = await recordByAnyKey(access, configuration, { repository: recordRepository, tag, at });
  const image = found?.record.image.digest;
  if (!found || !image || !found.record.image.reference.startsWith(`${repository}:`)) {
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
    { repository: recordRepository, tag, digest: found.digest, expected: { leftBy: repository } },
  ];
  requireNoApproval(
    configuration,
    input,
    moves.map((move) => move.repository),
  );
  return { key: found.key, record: found.digest, release: record.release, made: madeAt(record), moves };
}

/** @throws FlightlineError `approval-needed` when the operator wants the tag approved in one of the repositories. */
function requireNoApproval(
  { approvals }: Pick<WorkerConfiguration, 'approvals'>,
  { repository, tag }: Pick<PlanRollbackInput, 'repository' | 'tag'>,
  moved: readonly string[],
): void {
  const needed = moved.filter((one) => needsApproval(approvals, [{ repository: one, tags: [tag] }]));
  if (needed.length === 0) return;
  const names = needed.map((one) => `${one}:${tag}`).join(', ');
  throw new FlightlineError('approval-needed', `${names} may move only with approval; a rollback asks for none`, {
    remedy: {
      action:
        `promote what it is to be, which waits for approval: \`flightline promote ${repository}:OLDER --to ` +
        `${repository}:${tag} --allow-older\``,
      then: null,
    },
  });
}

export default planRollback satisfies WorkerBody<'planRollback'>;
