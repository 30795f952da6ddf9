/** `flightline rollback`: moves a shared tag back, with its record, and its disks where they have the name. */
import { timingWith } from '../../model/base/timing.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import {
  ROLLBACK_UPDATE,
  RollbackInput,
  RollbackResult,
  SHARED_TAG_WORKFLOW,
  sharedTagId,
} from '../../model/tags/shared-tag.ts';
import { timingFromEnvironment } from '../project/checked-spec.ts';
import { withTemporal, type Temporal } from '../temporal/temporal.ts';
import { awaitControlWorker } from '../temporal/control.ts';
import { repositoryAndTag } from '../temporal/release-name.ts';
import { failureOfError } from '../temporal/failure.ts';
import { NAME_ARGUMENT } from '../terminal/arguments.ts';
import { isUnavailable, requestFailed, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { thisPerson } from '../terminal/person.ts';
import { verb } from '../verb.ts';

/** Milliseconds for a rollback, which reads from a registry and writes to it. */
const ANSWER_TIMEOUT = 5 * 60_000;

export default verb({
  group: 'tags',
  summary: 'move a shared tag back',
  description:
    'Move a tag back to the record before: image, record, and disks where they have the ' +
    'name. What it goes to is verified as a device would.',
  examples: ['flightline rollback quay.io/acme/edge-camera:stable --comment "v2 does not boot"'],
  json: { help: 'print JSON', schemas: ['rollback'] },

  syntax: (command) =>
    command
      .argument(...NAME_ARGUMENT)
      .option('--to <record>', 'digest of an image or record, or tag of a record; default is the one before')
      .option('--comment <text>', 'why; kept in the history')
      .option('--record-repository <repository>', 'where the records are; default is REPOSITORY/release'),

  async run([name], options, output) {
    const { repository, tag } = repositoryAndTag(name);
    const parsed = RollbackInput.safeParse({
      recordRepository: options.recordRepository ?? `${repository}/release`,
      to: options.to ?? null,
      by: thisPerson(),
      why: options.comment ?? 'rolled back',
      timing: timingWith(timingFromEnvironment(process.env)),
    });
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new UserError(
        'usage',
        `${issue!.path.join('.')}: ${issue!.message}`,
        '`flightline history` shows the digests',
      );
    }
    return withTemporal((temporal) =>
      withInterrupt(async (signal) => {
        await awaitControlWorker(temporal, signal);
        const { from, to, moved } = await askToRollBack(temporal, { repository, tag }, parsed.data);
        output.result(
          [`${repository}:${tag} points at ${to.digest} again`, ...(from ? [`  before: ${from.digest}`] : [])].join(
            '\n',
          ),
        );
        output.document({ repository, tag, from, to, moved });
        return EXIT.ok;
      }),
    );
  },
});

async function askToRollBack(
  temporal: Temporal,
  { repository, tag }: { repository: string; tag: string },
  input: RollbackInput,
): Promise<RollbackResult> {
  const { WithStartWorkflowOperation } = await import('../temporal/sdk.ts');
  try {
    const answer = await temporal.within(ANSWER_TIMEOUT, () =>
      temporal.client.workflow.executeUpdateWithStart(ROLLBACK_UPDATE, {
        args: [input],
        startWorkflowOperation: new WithStartWorkflowOperation(SHARED_TAG_WORKFLOW, {
          workflowId: sharedTagId(repository, tag),
          taskQueue: CONTROL_QUEUE,
          workflowIdConflictPolicy: 'USE_EXISTING',
          args: [{ repository, tag, entries: [] }],
          staticSummary: `${repository}:${tag}`.slice(0, 200),
        }),
      }),
    );
    return RollbackResult.parse(answer);
  } catch (error) {
    const kind = error instanceof Error ? error.name : '';
    if (isUnavailable(error) || kind === 'WorkflowUpdateRPCTimeoutOrCancelledError') {
      throw new UserError(
        'no-answer',
        `${repository}:${tag} was not rolled back within ${ANSWER_TIMEOUT / 60_000} minutes; it goes on being tried`,
        `see that sign and control workers run; \`flightline history ${repository}:${tag}\` shows what it points at`,
        EXIT.unavailable,
      );
    }
    if (kind !== 'WorkflowUpdateFailedError') throw error;
    const failure = failureOfError(error);
    const message = `${repository}:${tag} was not rolled back: ${failure.message}`;
    throw requestFailed({ ...failure, message }, `${repository}:${tag}`);
  }
}
