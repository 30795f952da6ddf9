/**
 * The SDK's own runtime of workflows without a server: what the bundle does is run by the real code, activation by
 * activation, and whoever drives it decides what happens next. Thousands of orders of events take as long as one
 * release on a server.
 */
import { readFile } from 'node:fs/promises';
import { convertDeploymentVersion, defaultPayloadConverter, TypedSearchAttributes } from '@temporalio/common';
import proto, { type coresdk, type temporal } from '@temporalio/proto';
import { parseWorkflowCode } from '@temporalio/worker/lib/worker.js';
import { ReusableVMWorkflowCreator } from '@temporalio/worker/lib/workflow/reusable-vm.js';
import { globalHandlers } from '@temporalio/worker/lib/workflow/vm-shared.js';
import type { Workflow, WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';
import Long from 'long';

export type Job = coresdk.workflow_activation.IWorkflowActivationJob;
export type Command = coresdk.workflow_commands.IWorkflowCommand;
export type ProtoFailure = temporal.api.failure.v1.IFailure;
type Payload = temporal.api.common.v1.IPayload;

/** Who a workflow was started by. */
export interface Parent {
  workflowId: string;
  runId: string;
}

/** One workflow under way. */
export interface Machine {
  readonly workflowId: string;
  readonly runId: string;
  readonly parent: Parent | null;
  /** Delivers what has happened; what the workflow asks for then. @throws TaskFailed when the workflow task fails. */
  activate(jobs: Job[]): Promise<Command[]>;
  query<Result>(name: string): Promise<Result>;
  dispose(): Promise<void>;
}

/** A workflow task failed: on a server it would be tried again for ever. */
export class TaskFailed extends Error {
  constructor({ message, stackTrace }: ProtoFailure) {
    super(`a workflow task failed: ${message}\n${stackTrace ?? ''}`);
    this.name = 'TaskFailed';
  }
}

export const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value)!;
export const valueOf = <Value>(payload: Payload | null | undefined): Value =>
  defaultPayloadConverter.fromPayload<Value>(payload as never);

/** Loads a bundle once for many workflows. */
export async function openRuntime(bundle: string): Promise<Runtime> {
  // The stack of every promise, for the Web UI, takes most of the time: nobody looks here.
  Object.assign(globalHandlers, { installed: true });
  return new Runtime(parseWorkflowCode(await readFile(bundle, 'utf8'), bundle));
}

/** Time of a world without a server: it passes when something happens. */
export class Clock {
  private at = Date.parse('2026-01-01T00:00:00.000Z');

  get now(): number {
    return this.at;
  }

  pass(milliseconds: number): void {
    this.at += milliseconds;
  }
}

export class Runtime {
  private readonly bundle: ReturnType<typeof parseWorkflowCode>;
  /** A context for each place: to go from one workflow to another within one costs more than all the rest. */
  private readonly creators = new Map<string, ReusableVMWorkflowCreator>();
  private count = 0;

  constructor(bundle: ReturnType<typeof parseWorkflowCode>) {
    this.bundle = bundle;
  }

  /** A workflow that has not begun: its first activation starts it. */
  async create(type: string, workflowId: string, parent: Parent | null, clock: Clock): Promise<Machine> {
    this.count += 1;
    const runId = `run-${this.count}`;
    const place = workflowId.split('/disks/')[1] ?? '';
    const creator =
      this.creators.get(place) ?? (await ReusableVMWorkflowCreator.create(this.bundle, undefined as never, new Set()));
    this.creators.set(place, creator);
    const workflow = await creator.createWorkflow(optionsOf(type, workflowId, runId, parent, clock));
    return {
      workflowId,
      runId,
      parent,
      activate: (jobs) => activate(workflow, runId, clock, jobs),
      query: async <Result>(name: string) => {
        const job = { queryWorkflow: { queryId: 'query', queryType: name, arguments: [] } };
        const [answer] = await activate(workflow, runId, clock, [job]);
        return valueOf<Result>(answer!.respondToQuery!.succeeded!.response);
      },
      dispose: () => workflow.dispose(),
    };
  }

  async close(): Promise<void> {
    for (const creator of this.creators.values()) await creator.destroy();
  }
}

/** The job with which a workflow starts. */
export function startJob(type: string, workflowId: string, input: unknown): Job {
  return { initializeWorkflow: { workflowType: type, workflowId, arguments: [payloadOf(input)], attempt: 1 } };
}

async function activate(workflow: Workflow, runId: string, clock: Clock, jobs: Job[]): Promise<Command[]> {
  const { successful, failed } = await workflow.activate(
    proto.coresdk.workflow_activation.WorkflowActivation.fromObject({
      runId,
      timestamp: { seconds: Long.fromNumber(Math.floor(clock.now / 1_000)), nanos: (clock.now % 1_000) * 1e6 },
      isReplaying: false,
      historyLength: 10,
      historySizeBytes: Long.fromNumber(1_000),
      jobs,
    }),
  );
  // Nobody counts or logs here.
  await workflow.getAndResetSinkCalls();
  if (failed) throw new TaskFailed(failed.failure ?? { message: 'no reason given' });
  return successful?.commands ?? [];
}

function optionsOf(
  workflowType: string,
  workflowId: string,
  runId: string,
  parent: Parent | null,
  clock: Clock,
): WorkflowCreateOptions {
  const startTime = new Date(clock.now);
  return {
    info: {
      workflowId,
      runId,
      workflowType,
      searchAttributes: {},
      typedSearchAttributes: new TypedSearchAttributes(),
      ...(parent && { parent: { ...parent, namespace: 'orders' } }),
      taskQueue: 'orders',
      namespace: 'orders',
      firstExecutionRunId: runId,
      originalExecutionRunId: runId,
      startTime,
      runStartTime: startTime,
      taskTimeoutMs: 10_000,
      attempt: 1,
      historyLength: 3,
      historySize: 1_000,
      continueAsNewSuggested: false,
      targetWorkerDeploymentVersionChanged: false,
      currentBuildId: '',
      currentDeploymentVersion: convertDeploymentVersion(undefined),
      unsafe: {
        now: () => clock.now,
        isReplaying: false,
        isReplayingHistoryEvents: false,
        random: { fill: (bytes: Uint8Array) => bytes, random: () => 0.5, uuid4: () => 'uuid' } as never,
      },
    } as WorkflowCreateOptions['info'],
    randomnessSeed: [1, 2, 3, 4, 5, 6, 7, 8],
    now: clock.now,
    showStackTraceSources: false,
    failureExceptionTypeNames: [],
  };
}
