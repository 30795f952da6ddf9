/** `flightline promote`, and how a promotion stands. */
import {
  promotionId,
  PROMOTION_WORKFLOW,
  PromotionRequest,
  type PromotionRequest as Request,
} from '../../model/tags/promotion.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { parseReference, Tag } from '../../model/oci/reference.ts';
import { timingWith } from '../../model/base/timing.ts';
import {
  awaitControlWorker,
  REQUEST_TIMEOUT,
  withTemporal,
  workflowPage,
  type Temporal,
} from '../temporal/connection.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { thisPerson } from '../terminal/person.ts';
import { timingFromEnvironment } from '../project/preparation.ts';
import { followPromotion, printPromotion, readPromotion } from '../temporal/promotion-view.ts';
import { nameOf } from '../temporal/release-name.ts';

/** Options of `flightline promote`. */
export interface PromoteOptions {
  /** TAG of the source's repository, or REPOSITORY:TAG. */
  to: string;
  approval?: 'required' | undefined;
  /** Name of a key of the worker configuration. */
  key?: string | undefined;
  comment?: string | undefined;
  recordRepository?: string | undefined;
  allowOlder?: boolean | undefined;
  detach?: boolean | undefined;
}

/** `flightline promote SOURCE --to TARGET`: starts the promotion and shows it to its end, or until it waits for approval. */
export async function promote(source: string, options: PromoteOptions, output: Output): Promise<number> {
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

/** `flightline status promote/REPOSITORY:TAG`. */
export async function promotionStatus(id: string, output: Output): Promise<number> {
  return withTemporal(async (temporal) => {
    printPromotion(await readPromotion(temporal, id), output);
    return EXIT.ok;
  });
}

/** `flightline watch promote/REPOSITORY:TAG`. */
export async function watchPromotion(id: string, output: Output): Promise<number> {
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      const { runId } = await readPromotion(temporal, id);
      return printPromotion(await followPromotion(temporal, { id, runId }, output, signal), output);
    }),
  );
}

function requestOf(given: string, options: PromoteOptions): Request {
  const source = nameOf(given);
  const request = {
    schemaVersion: 1,
    source,
    recordRepository: options.recordRepository ?? `${source.repository}/release`,
    target: targetOf(options.to, source.repository),
    key: options.key ?? null,
    ...(options.approval && { approval: options.approval }),
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
