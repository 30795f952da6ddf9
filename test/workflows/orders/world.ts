/**
 * One release on the SDK's runtime, with a registry, two hosts and a person of the model. Whoever drives it says what
 * happens next; nothing happens by itself.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { BuildInput, PushInput } from '../../../model/contract/build.ts';
import type { ClaimInput } from '../../../model/contract/host.ts';
import type { DiskBuildInput, PublishInput } from '../../../model/contract/disk.ts';
import type { RecordInput, SignInput, TagInput } from '../../../model/contract/sign.ts';
import type { ResolveInput } from '../../../model/contract/control.ts';
import { DECIDE_UPDATE } from '../../../model/release/approval.ts';
import { failureOf } from '../../../model/failure/failure.ts';
import { FAILURES, type FailureKind } from '../../../model/failure/failures.ts';
import type { ReleaseRecord } from '../../../model/release/record.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import type { MoveInput } from '../../../model/tags/shared-tag.ts';
import Long from 'long';
import { digestOf, idOf } from '../facts.ts';
import { Registry } from './registry.ts';
import {
  Clock,
  payloadOf,
  startJob,
  valueOf,
  type Command,
  type Job,
  type Machine,
  type ProtoFailure,
  type Runtime,
} from './runtime.ts';

/** What may happen next to one of the workflows. */
export interface Pending {
  kind: 'activity' | 'timer' | 'delivery';
  machine: Machine;
  seq: number;
  /** Of the activity, or the timer's summary. */
  name: string;
  input: unknown;
  /** Of the queue; null on control and sign workers. */
  host: string | null;
  /** Milliseconds of a timer. */
  after: number;
  cancelled: boolean;
  job: Job | null;
}

/** What becomes of a pending activity. */
export type Outcome = 'ordinary' | 'cancelled' | 'silence' | FailureKind;

/** Something that must not be. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

interface Update {
  name: 'retry' | 'decide';
  state: 'sent' | 'accepted' | 'refused' | 'completed' | 'failed';
  /** The digests that a person had seen. */
  seen: string[];
  decision: string | null;
  why: string;
}

const HOSTS = ['host-a', 'host-b'];

export class World {
  readonly registry = new Registry();
  readonly clock = new Clock();
  readonly log: string[] = [];
  readonly updates: Update[] = [];
  pending: Pending[] = [];
  request: ReleaseRequest;
  end: 'completed' | 'failed' | 'cancelled' | null = null;
  /** What a person approved last: digests that were seen. */
  private approved: string[] | null = null;
  /** Why something is broken; told by the driver. */
  private readonly machines = new Map<string, Machine>();
  private readonly children = new Map<string, { parent: Machine; seq: number }>();
  private readonly runtime: Runtime;
  private made = 0;

  constructor(runtime: Runtime, request: ReleaseRequest) {
    this.runtime = runtime;
    this.request = request;
  }

  get release(): Machine {
    return this.machines.get(idOf(this.request))!;
  }

  async start(): Promise<void> {
    const id = idOf(this.request);
    this.machines.set(id, await this.runtime.create('release', id, null, this.clock));
    await this.deliver(this.release, [startJob('release', id, this.request)]);
  }

  /** Begins anew with a request, after an end. What has happened to the registry stays. */
  async replaceBy(request: ReleaseRequest): Promise<void> {
    this.log.push('person replace');
    await this.release.dispose();
    this.registry.beginAnew();
    this.request = request;
    this.approved = null;
    this.end = null;
    await this.start();
  }

  async dispose(): Promise<void> {
    for (const machine of this.machines.values()) await machine.dispose();
  }

  async record(): Promise<ReleaseRecord> {
    return this.release.query<ReleaseRecord>('record');
  }

  /** What can happen now without a person, in the order in which it was asked for. Holds do not end by themselves. */
  get possible(): Pending[] {
    return this.pending.filter(({ kind, name }) => kind !== 'timer' || !name.includes('is held'));
  }

  // ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Lets one of the pending things happen, together with others that are on their way to the same workflow. */
  async happens(one: Pending, outcome: Outcome, alongside: Job[] = []): Promise<void> {
    if (!this.pending.includes(one)) return;
    this.pending = this.pending.filter((other) => other !== one);
    this.clock.pass(1_000);
    this.log.push(`${one.machine.workflowId.split('/disks/')[1] ?? ''} ${one.kind} ${one.name}: ${outcome}`);
    await this.deliver(one.machine, [...alongside, this.jobFor(one, outcome)]);
  }

  private jobFor(one: Pending, outcome: Outcome): Job {
    const { seq } = one;
    if (one.kind === 'timer') return { fireTimer: { seq } };
    if (one.kind === 'delivery') return one.job!;
    return { resolveActivity: { seq, result: this.resultOf(one, outcome) } };
  }

  private resultOf(one: Pending, outcome: Outcome): NonNullable<Job['resolveActivity']>['result'] {
    const failedWith = (cause: ProtoFailure) => ({
      failed: {
        failure: { message: 'Activity task failed', activityFailureInfo: { activityType: { name: one.name } }, cause },
      },
    });
    if (outcome === 'cancelled') {
      const cause: ProtoFailure = { message: 'cancelled', canceledFailureInfo: {} };
      return {
        cancelled: {
          failure: { message: 'cancelled', activityFailureInfo: { activityType: { name: one.name } }, cause },
        },
      };
    }
    if (outcome === 'silence') {
      return failedWith({ message: 'silent', timeoutFailureInfo: { timeoutType: one.name === 'probe' ? 2 : 4 } });
    }
    if (outcome !== 'ordinary') return failedWith(protoOf(outcome, `${one.name}: ${outcome}`));
    try {
      return { completed: { result: payloadOf(this.answer(one)) } };
    } catch (error) {
      if (!(error instanceof ApplicationFailure)) throw error;
      return failedWith(protoOf(error.type as FailureKind, error.message));
    }
  }

  /** What the activities do to the registry, and what they find there. */
  private answer({ name, input, host }: Pending): unknown {
    const { registry } = this;
    const attempts = 1;
    const onHost = { attempts, host, log: null };
    switch (name) {
      case 'resolve':
        return this.resolve((input as ResolveInput).request);
      case 'hosts':
        return { attempts, hosts: HOSTS };
      case 'claim': {
        const free = host ?? HOSTS.find((one) => !(input as ClaimInput).exclude.includes(one));
        if (free === undefined) throw ApplicationFailure.nonRetryable('every host is excluded', 'no-host');
        return { attempts, host: free };
      }
      case 'build':
        return {
          ...onHost,
          imageId: digestOf(`image ${(input as BuildInput).imageInputs} ${(this.made += 1)}`).slice(7),
          size: 7e8,
          adopted: false,
          bases: [],
        };
      case 'push': {
        const { repository, imageId } = input as PushInput;
        const digest = digestOf(imageId);
        registry.push(repository, digest);
        return { ...onHost, digest };
      }
      case 'diskBuild': {
        const { image, types } = input as DiskBuildInput;
        if (!registry.has(image.repository, image.digest)) {
          throw ApplicationFailure.nonRetryable('the image is gone', 'disk-vanished');
        }
        const files = types.map((type) => ({ type, path: `/output/${type}`, size: 1_000 }));
        return { ...onHost, inputs: digestOf(`${image.digest} ${types.join()}`), files, container: 'builder' };
      }
      case 'publish': {
        const { disk, inputs } = input as PublishInput;
        const digest = disk.publish === 'none' ? null : digestOf(`${disk.type} ${inputs} ${(this.made += 1)}`);
        if (digest !== null) registry.push(disk.repository, digest);
        const file = { size: 1_000, sha256: digestOf(disk.type).slice(7), host: host!, path: null };
        return { ...onHost, digest, file };
      }
      case 'sign':
        this.requireOwnNameOrApproved(input as SignInput);
        registry.sign(input as SignInput);
        return { attempts, signed: (input as SignInput).tags };
      case 'verify':
        registry.verify(input as SignInput);
        return { attempts };
      case 'tag':
        this.requireApproved((input as TagInput).moves.map(({ digest }) => digest));
        return { attempts, ...registry.move(input as TagInput) };
      case 'moveSharedTag':
        return { attempts, refused: null, ...registry.move(input as MoveInput) };
      case 'record': {
        const { record } = input as RecordInput;
        this.requireTrue(record);
        registry.record(input as RecordInput);
        return { attempts, digest: digestOf('record') };
      }
      case 'proveSigning':
        return { attempts, publicKey: 'key' };
      case 'probe':
        return { host, since: '2026-01-01T00:00:00.000Z' };
      case 'cleanUp':
        return { removed: [] };
      case 'keepLogs':
        return { attempts, host, digest: null };
      default:
        throw new Error(`the model knows no activity ${name}`);
    }
  }

  private resolve(request: ReleaseRequest): unknown {
    const existing = this.registry.tags.get(`${request.repository}:${request.tag}`) ?? null;
    if (existing !== null && request.tagPolicy === 'create') {
      throw ApplicationFailure.nonRetryable('it is there already', 'tag-exists');
    }
    return {
      attempts: 1,
      unchanged: null,
      context: { repository: request.contextRepository, digest: digestOf('context') },
      imageInputs: digestOf(`inputs ${JSON.stringify(request.buildArgs)}`),
      bases: [{ reference: 'registry.example/base:1', digest: digestOf('base') }],
      builder: request.disks.length > 0 ? { reference: request.builder.image, digest: digestOf('builder') } : null,
      builderConfig: null,
      existingTag: existing,
    };
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sends an update, as a person's command does. */
  async send(name: 'retry' | 'decide', argument: unknown, seen: string[] = []): Promise<Update> {
    const job = this.updateJob(name, argument, seen);
    await this.deliver(this.release, [job]);
    return this.updates.at(-1)!;
  }

  updateJob(name: 'retry' | 'decide', argument: unknown, seen: string[] = []): Job {
    const decision = (argument as { decision?: string }).decision ?? null;
    this.updates.push({ name, state: 'sent', seen, decision, why: '' });
    const id = String(this.updates.length - 1);
    this.log.push(`person ${name} ${decision ?? ''}`);
    const wire = name === 'decide' ? DECIDE_UPDATE : name;
    return { doUpdate: { id, protocolInstanceId: id, name: wire, input: [payloadOf(argument)], runValidator: true } };
  }

  async cancel(): Promise<void> {
    this.log.push('person cancel');
    await this.deliver(this.release, [{ cancelWorkflow: {} }]);
  }

  // ── what must hold ───────────────────────────────────────────────────────────────────────────────────────────────

  private requireApproved(digests: string[], what = 'tagged'): void {
    if (this.request.approval === undefined) return;
    const unseen = digests.filter((digest) => !this.approved?.includes(digest));
    if (unseen.length > 0) throw new Broken(`${unseen.join()} is ${what}, and nobody approved it`);
  }

  private requireOwnNameOrApproved({ digest, tags }: SignInput): void {
    if (tags.some((tag) => tag !== this.request.tag)) this.requireApproved([digest], 'signed for a name of others');
  }

  private requireTrue(record: ReleaseRecord): void {
    const { registry } = this;
    const [repository] = splitReference(record.image.reference);
    const missing = [
      ...(record.image.digest !== null && registry.has(repository, record.image.digest) ? [] : ['image']),
      ...record.disks.flatMap(({ type, form, reference, digest }) => {
        if (form === 'none') return [];
        return digest !== null && registry.has(splitReference(reference!)[0], digest) ? [] : [type];
      }),
    ];
    if (missing.length > 0) throw new Broken(`a record is published of what is not there: ${missing.join()}`);
  }

  /** A fault of the code ends a release truthfully, but no order of events may lead to one. */
  requireNoFault({ failure }: ReleaseRecord): void {
    if (failure?.message.includes('a fault of flightline')) throw new Broken(failure.message);
  }

  /** What must hold at an end: whatever was tagged is named by the record, which is published or told. */
  async requireTold(): Promise<void> {
    const told = await this.record();
    this.requireNoFault(told);
    const published = this.registry.records.at(-1);
    if (this.end === 'completed' && told.status === 'released' && !published)
      throw new Broken('released without record');
    const named = [told, ...(published ? [published] : [])].flatMap(({ image, disks }) => [
      [image.reference, image.digest],
      ...disks.map(({ reference, digest }) => [reference, digest]),
    ]);
    const text = JSON.stringify([told.failure, told.warnings]);
    for (const tag of this.registry.moved) {
      const digest = this.registry.tags.get(tag);
      const [repository] = splitReference(tag);
      const inRecord = named.some(([name, one]) => one === digest && splitReference(name!)[0] === repository);
      if (this.end === 'completed' ? !inRecord : !text.includes(tag) && !(published && inRecord)) {
        throw new Broken(`${tag} is tagged ${digest}, which the record does not tell (${told.status})`);
      }
    }
    const open = this.updates.filter(({ state }) => state === 'accepted');
    if (open.length > 0) throw new Broken(`${open.map(({ name }) => name).join()} never got an answer`);
  }

  // ── workflows ────────────────────────────────────────────────────────────────────────────────────────────────────

  async deliver(machine: Machine, jobs: Job[]): Promise<void> {
    for (const command of await machine.activate(jobs)) await this.obey(machine, command);
  }

  private async obey(machine: Machine, command: Command): Promise<void> {
    const add = (one: Partial<Pending> & Pick<Pending, 'kind' | 'seq' | 'name'>) =>
      this.pending.push({ machine, input: null, host: null, after: 0, cancelled: false, job: null, ...one });
    const find = (kind: Pending['kind'], seq: number) =>
      this.pending.find((one) => one.kind === kind && one.machine === machine && one.seq === seq);
    const drop = (one: Pending | undefined) => {
      this.pending = this.pending.filter((other) => other !== one);
    };
    if (command.scheduleActivity) {
      const { seq, activityType, taskQueue, arguments: args } = command.scheduleActivity;
      const host = HOSTS.find((name) => taskQueue?.includes(name)) ?? null;
      add({ kind: 'activity', seq: seq!, name: activityType!, host, input: args?.[0] ? valueOf(args[0]) : null });
    } else if (command.requestCancelActivity) {
      const one = find('activity', command.requestCancelActivity.seq!);
      if (one) one.cancelled = true;
    } else if (command.startTimer) {
      const { seq, startToFireTimeout } = command.startTimer;
      const summary = command.userMetadata?.summary ? valueOf<string>(command.userMetadata.summary) : '';
      add({ kind: 'timer', seq: seq!, name: summary, after: Number(startToFireTimeout?.seconds ?? 0) * 1_000 });
    } else if (command.cancelTimer) drop(find('timer', command.cancelTimer.seq!));
    else if (command.startChildWorkflowExecution) {
      const { seq, workflowId, workflowType, input } = command.startChildWorkflowExecution;
      await this.startChild(machine, seq!, workflowType!, workflowId!, valueOf(input![0]));
    } else if (command.cancelChildWorkflowExecution) {
      const { childWorkflowSeq: seq } = command.cancelChildWorkflowExecution;
      const [id] = [...this.children].find(([, child]) => child.parent === machine && child.seq === seq) ?? [];
      const child = id === undefined ? undefined : this.machines.get(id);
      if (child) add({ kind: 'delivery', seq: -1, name: 'cancellation', machine: child, job: { cancelWorkflow: {} } });
    } else if (command.signalExternalWorkflowExecution) {
      const { seq, workflowExecution, signalName, args } = command.signalExternalWorkflowExecution;
      const target = this.machines.get(workflowExecution?.workflowId ?? '');
      add({ kind: 'delivery', seq: seq!, name: 'signal sent', job: { resolveSignalExternalWorkflow: { seq } } });
      if (target) {
        const job: Job = { signalWorkflow: { signalName, input: args, identity: 'child' } };
        add({ kind: 'delivery', seq: -1, name: signalName!, machine: target, job });
      }
    } else if (command.updateResponse) this.noteUpdate(command.updateResponse);
    else await this.noteEnd(machine, command);
  }

  private async startChild(parent: Machine, seq: number, type: string, id: string, input: unknown): Promise<void> {
    const child = await this.runtime.create(type, id, parent, this.clock);
    await this.machines.get(id)?.dispose();
    this.machines.set(id, child);
    this.children.set(id, { parent, seq });
    const started: Job = { resolveChildWorkflowExecutionStart: { seq, succeeded: { runId: child.runId } } };
    const base = { input: null, host: null, after: 0, cancelled: false };
    this.pending.push({ ...base, kind: 'delivery', machine: parent, seq, name: `${type} started`, job: started });
    this.pending.push({
      ...base,
      kind: 'delivery',
      machine: child,
      seq,
      name: 'start',
      job: startJob(type, id, input),
    });
  }

  private noteUpdate({
    protocolInstanceId,
    accepted,
    rejected,
    completed,
  }: NonNullable<Command['updateResponse']>): void {
    const update = this.updates[Number(protocolInstanceId)]!;
    if (accepted) update.state = 'accepted';
    if (completed) update.state = 'completed';
    if (rejected) update.state = update.state === 'sent' ? 'refused' : 'failed';
    if (rejected) update.why = rejected.message ?? '';
    if (accepted && update.decision === 'approve') this.approved = update.seen;
    this.log.push(`  ${update.name} is ${update.state} ${update.why}`);
  }

  private async noteEnd(machine: Machine, command: Command): Promise<void> {
    const { completeWorkflowExecution: done, failWorkflowExecution: failed, cancelWorkflowExecution: gone } = command;
    if (!done && !failed && !gone) return;
    const state = done ? 'completed' : failed ? 'failed' : 'cancelled';
    this.log.push(`${machine.workflowId} is ${state} ${failed?.failure?.message ?? ''}`);
    this.pending = this.pending.filter((one) => one.machine !== machine);
    const child = this.children.get(machine.workflowId);
    if (!child) {
      this.end = state;
      return;
    }
    this.children.delete(machine.workflowId);
    const { parent, seq } = child;
    const cause = failed?.failure ?? { message: 'cancelled', canceledFailureInfo: {} };
    const failure: ProtoFailure = {
      message: 'Child Workflow execution failed',
      childWorkflowExecutionFailureInfo: {
        namespace: 'orders',
        workflowExecution: { workflowId: machine.workflowId, runId: machine.runId },
        workflowType: { name: 'builderRun' },
        initiatedEventId: Long.fromNumber(1),
        startedEventId: Long.fromNumber(2),
        retryState: 0,
      },
      cause,
    };
    const result = done
      ? { completed: { result: done.result } }
      : failed
        ? { failed: { failure } }
        : { cancelled: { failure } };
    const job: Job = { resolveChildWorkflowExecution: { seq, result } };
    this.pending.push({
      kind: 'delivery',
      machine: parent,
      seq,
      name: `child ${state}`,
      input: null,
      host: null,
      after: 0,
      cancelled: false,
      job,
    });
  }
}

function splitReference(reference: string): [string, string] {
  const colon = reference.lastIndexOf(':');
  return [reference.slice(0, colon), reference.slice(colon + 1)];
}

function protoOf(kind: FailureKind, message: string): ProtoFailure {
  const details = { payloads: [payloadOf(failureOf(kind, message))] };
  return {
    message,
    applicationFailureInfo: { type: kind, nonRetryable: FAILURES[kind].disposition !== 'retry', details },
  };
}
