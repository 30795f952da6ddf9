/** `flightline promote`: gives a release another name, without building. */
import type { Command } from '@commander-js/extra-typings';
import { Option } from '@commander-js/extra-typings';
import {
  promotionId,
  PROMOTION_WORKFLOW,
  PromotionRequest,
  type PromotionRequest as Request,
} from '../../model/tags/promotion.ts';
import { promotionAttributes } from '../../model/release/summaries.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { parseReference, Tag } from '../../model/oci/reference.ts';
import { timingWith } from '../../model/base/timing.ts';
import { REQUEST_TIMEOUT, withTemporal, workflowPage, type Temporal } from '../temporal/temporal.ts';
import { awaitControlWorker } from '../temporal/control.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { thisPerson } from '../terminal/person.ts';
import { timingFromEnvironment } from '../project/checked-spec.ts';
import { followPromotion, printPromotion } from '../follow/promotion.ts';
import { readPromotion } from '../temporal/promotion.ts';
import { verb, type OptionsOf } from '../verb.ts';
import { repositoryAndTag } from '../temporal/release-name.ts';

const syntax = (command: Command) =>
  command
    .argument('<source>', 'REPOSITORY:TAG, released by flightline')
    .requiredOption('--to <target>', 'TAG in the same repository, or REPOSITORY:TAG')
    .addOption(
      new Option('--approval <what>', 'wait for `flightline approve` before anything is signed').choices(['required']),
    )
    .option('--key <name>', 'sign with this key of the worker configuration; default is the one that signed the source')
    .option('--comment <text>', 'why; kept in the record and history')
    .option('--allow-older', 'move the tag although it points at what was made later')
    .option('--record-repository <repository>', "where the source's record is; default is REPOSITORY/release")
    .option('--detach', 'end once the promotion is started');

type PromoteOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'tags',
  summary: 'give a release another name, without building',
  description:
    'Put the digests of a released name, image and disks, under another tag or repository: ' +
    'signed for it, verified, tagged last. ' +
    'Nothing is built, and within one registry nothing is transferred.',
  examples: [
    'flightline promote quay.io/acme/edge-camera:v1 --to stable',
    'flightline promote quay.io/acme/edge-camera:v1 --to quay.io/acme/production/edge-camera:v1 --approval required',
  ],
  json: { help: 'print the promotion as JSON; progress goes to standard error', schemas: ['promotion'] },

  syntax,

  run: (args, options, output) => promote(args, options, output),
});

async function promote([source]: [string], options: PromoteOptions, output: Output): Promise<number> {
  const request = requestOf(source, options);
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      await awaitControlWorker(temporal, signal);
      const started = await start(temporal, request);
      output.note(`promoting ${source} to ${request.target.repository}:${request.target.tag}`);
      const page = workflowPage(temporal.ui, temporal.namespace, started.id, started.runId);
      if (page) output.note(`  ${page}`);
      if (options.detach) {
        output.note(`watch it: flightline watch ${started.id}`);
        printPromotion(await readPromotion(temporal, started.id, started.runId), output);
        return EXIT.ok;
      }
      return printPromotion(await followPromotion(temporal, started, output, signal), output);
    }),
  );
}

function requestOf(given: string, options: PromoteOptions): Request {
  const source = repositoryAndTag(given);
  const request = {
    schemaVersion: 1,
    source,
    recordRepository: options.recordRepository ?? `${source.repository}/release`,
    target: targetOf(options.to, source.repository),
    key: options.key ?? null,
    approval: options.approval,
    allowOlder: options.allowOlder === true,
    by: thisPerson(),
    comment: options.comment ?? '',
    timing: timingWith(timingFromEnvironment(process.env)),
  };
  const parsed = PromotionRequest.safeParse(request);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new UserError('usage', `${issue!.path.join('.')}: ${issue!.message}`, 'give another value');
}

function targetOf(text: string, repository: string): { repository: string; tag: string } {
  if (Tag.safeParse(text).success) return { repository, tag: text };
  const parsed = parseReference(text);
  if (parsed.ok && parsed.reference.tag && !parsed.reference.digest) {
    return { repository: parsed.reference.repository, tag: parsed.reference.tag };
  }
  throw new UserError(
    'usage',
    `--to ${text} names no target`,
    'write a tag, such as stable, or REPOSITORY:TAG, such as quay.io/acme/production/edge-camera:stable',
  );
}

async function start(temporal: Temporal, request: Request): Promise<{ id: string; runId: string }> {
  const { source, target } = request;
  const id = promotionId(target.repository, target.tag);
  try {
    const handle = await temporal.within(REQUEST_TIMEOUT, () =>
      temporal.client.workflow.start(PROMOTION_WORKFLOW, {
        taskQueue: CONTROL_QUEUE,
        workflowId: id,
        args: [request],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        typedSearchAttributes: promotionAttributes(target),
        staticSummary: `${source.repository}:${source.tag} → ${target.repository}:${target.tag}`.slice(0, 200),
      }),
    );
    return { id, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    throw new UserError(
      'already-running',
      `a promotion to ${target.repository}:${target.tag} is already running`,
      `watch it: flightline watch ${id}   if it waits: flightline approve or reject ${target.repository}:${target.tag}`,
      EXIT.alreadyRunning,
    );
  }
}
