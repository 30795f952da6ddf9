/** A person's word to a release or promotion that waits for it. */
import { DECIDE_UPDATE, Decided, type Decision } from '../../model/release/approval.ts';
import { promotionId, promotionTarget } from '../../model/tags/promotion.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from './temporal.ts';
import { awaitControlWorker } from './control.ts';
import { isNotFound, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { thisPerson } from '../terminal/person.ts';
import { nameOf, referenceOf, releaseIdOf } from './release-name.ts';
import { failureOfError } from './failure.ts';

/**
 * Approves or rejects what waits for it under a name, and answers the exit code.
 *
 * @throws UserError `not-waiting`
 */
export async function decide(
  decision: Decision['decision'],
  name: string,
  comment: string | undefined,
  output: Output,
): Promise<number> {
  const ids = idsOf(name);
  const word: Decision = { decision, by: thisPerson(), comment: (comment ?? '').slice(0, 200) };
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      await awaitControlWorker(temporal, signal);
      const { id, reference } = await send(temporal, ids, word);
      const done = decision === 'approve' ? 'approved' : 'rejected';
      output.result(`${reference} is ${done}; watch it: flightline watch ${id.replace(/^release\//, '')}`);
      output.document({ workflow: id, reference, ...word });
      return EXIT.ok;
    }),
  );
}

/** What a name may mean: a release, or a promotion to it. */
function idsOf(name: string): string[] {
  if (promotionTarget(name) !== undefined) return [name];
  const release = releaseIdOf(name);
  if (name === release) return [release];
  const { repository, tag } = nameOf(name);
  return [release, promotionId(repository, tag)];
}

async function send(temporal: Temporal, ids: readonly string[], word: Decision): Promise<Decided & { id: string }> {
  let refusal: unknown;
  for (const id of ids) {
    try {
      const answer = await temporal.within(REQUEST_TIMEOUT, () =>
        temporal.client.workflow.getHandle(id).executeUpdate<Decided, [Decision]>(DECIDE_UPDATE, { args: [word] }),
      );
      return { ...Decided.parse(answer), id };
    } catch (error) {
      if (isNotFound(error)) continue;
      if (!(error instanceof Error) || error.name !== 'WorkflowUpdateFailedError') throw error;
      refusal = error;
    }
  }
  const reference = referenceOf(ids[0]!);
  const message = refusal ? failureOfError(refusal).message : `no release or promotion of ${reference} is running`;
  throw new UserError('not-waiting', message, `flightline list shows what is held; flightline status ${reference}`);
}
