/** A person's word to a release or promotion that waits for it. */
import { RECORD_QUERY } from '../../model/contract/workflows.ts';
import { DECIDE_UPDATE, Decided, shownDigests, type Decision } from '../../model/release/approval.ts';
import { ReleaseRecord } from '../../model/release/record.ts';
import { Promotion, PROMOTION_QUERY, promotionId, promotionTarget } from '../../model/tags/promotion.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from './temporal.ts';
import { awaitControlWorker } from './control.ts';
import { isNotFound, UserError } from '../terminal/errors.ts';
import { architectureNamed } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { thisPerson } from '../terminal/person.ts';
import { repositoryAndTag, referenceOf, releaseIdOf } from './release-name.ts';
import { failureOfError } from './failure.ts';

/**
 * Approves or rejects what waits for it under a name, and answers the exit code.
 *
 * @throws UserError `not-waiting`
 */
export async function decide(
  decision: Decision['decision'],
  name: string,
  { comment = '', without }: { comment?: string | undefined; without?: string | undefined },
  output: Output,
): Promise<number> {
  const ids = idsOf(name);
  const platform = architectureNamed(without);
  const said = { decision, by: thisPerson(), comment: comment.slice(0, 200), ...(platform && { without: platform }) };
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      await awaitControlWorker(temporal, signal);
      const { id, reference, digests } = await send(temporal, ids, said);
      const done = decision === 'approve' ? 'is approved' : 'is rejected';
      const what = platform ? `goes on without linux/${platform}` : done;
      output.result(`${reference} ${what}; watch it: flightline watch ${id.replace(/^release\//, '')}`);
      output.document({ workflow: id, reference, ...said, digests });
      return EXIT.ok;
    }),
  );
}

/** What a name may mean: a release, or a promotion to it. */
function idsOf(name: string): string[] {
  if (promotionTarget(name) !== undefined) return [name];
  const release = releaseIdOf(name);
  if (name === release) return [release];
  const { repository, tag } = repositoryAndTag(name);
  return [release, promotionId(repository, tag)];
}

/** Sends the word for what is shown now: the release refuses it when that changes on the way. */
async function send(
  temporal: Temporal,
  ids: readonly string[],
  said: Omit<Decision, 'digests'>,
): Promise<Decided & { id: string; digests: string[] }> {
  let refusal: unknown;
  for (const id of ids) {
    try {
      const digests = await digestsOf(temporal, id);
      const word: Decision = { ...said, digests };
      const answer = await temporal.within(REQUEST_TIMEOUT, () =>
        temporal.client.workflow.getHandle(id).executeUpdate<Decided, [Decision]>(DECIDE_UPDATE, { args: [word] }),
      );
      return { ...Decided.parse(answer), id, digests };
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

/** The digests that a release or promotion shows now: the image's, then those of disks. */
async function digestsOf(temporal: Temporal, id: string): Promise<string[]> {
  const handle = temporal.client.workflow.getHandle(id);
  const query = (name: string) => temporal.within(REQUEST_TIMEOUT, () => handle.query(name));
  if (promotionTarget(id) === undefined) return shownDigests(ReleaseRecord.parse(await query(RECORD_QUERY)));
  return Promotion.parse(await query(PROMOTION_QUERY)).items.map(({ digest }) => digest);
}
