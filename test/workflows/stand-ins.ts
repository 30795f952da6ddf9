/**
 * Stand-ins for activities, on the real queues: each answers at once with plain facts, unless a test says otherwise for
 * its release. Every call is noted, with the host it came to.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type {
  BootTestInput,
  BootTestResult,
  DiskBuildInput,
  DiskBuildResult,
  PublishInput,
  PublishResult,
} from '../../model/contract/disk.ts';
import type {
  BuildInput,
  BuildResult,
  DeviceVerifyInput,
  DeviceVerifyResult,
  GateInput,
  GateResult,
  PushInput,
  PushResult,
  RechunkInput,
  RechunkResult,
  SbomInput,
} from '../../model/contract/build.ts';
import type {
  ClaimInput,
  ClaimResult,
  CleanUpInput,
  CleanUpResult,
  LogPageInput,
  LogPageResult,
  ProbeResult,
  KeepLogsInput,
  KeepLogsResult,
} from '../../model/contract/host.ts';
import type {
  PlanRollbackInput,
  RollbackPlan,
  PlanPromotionInput,
  PromoteCopyInput,
  PromoteRecordInput,
} from '../../model/contract/tags.ts';
import type {
  CompareInput,
  CompareResult,
  SupersedeInput,
  SupersedeResult,
  HostsInput,
  HostsResult,
  ResolveInput,
  ResolveResult,
  NotifyInput,
  NotifyResult,
} from '../../model/contract/control.ts';
import type {
  AttestInput,
  AttestResult,
  IndexInput,
  ProveSigningInput,
  ProveSigningResult,
  RecordInput,
  RecordResult,
  RotationInput,
  RotationPageInput,
  SignInput,
  SignResult,
  TagInput,
  TagResult,
  VerifyInput,
  VerifyResult,
} from '../../model/contract/sign.ts';
import type { PlanInput, PlanResult } from '../../model/contract/dry-run.ts';
import type { LookAtTagInput, MoveInput, MoveResult, TagNow } from '../../model/tags/shared-tag.ts';
import type { PromotionPlan } from '../../model/tags/promotion.ts';
import type { RotationGroup } from '../../model/tags/rotation.ts';
import { failureOf } from '../../model/failure/failure.ts';
import { FAILURES, type FailureKind } from '../../model/failure/failures.ts';
import type { HostStatus, HostStatusInput } from '../../model/contract/host-status.ts';
import { digestOf } from './facts.ts';

/** What the activities of the contract take and give. */
export interface Signatures {
  resolve: [ResolveInput, ResolveResult];
  hosts: [HostsInput, HostsResult];
  claim: [ClaimInput, ClaimResult];
  probe: [undefined, ProbeResult];
  cleanUp: [CleanUpInput, CleanUpResult];
  logPage: [LogPageInput, LogPageResult];
  keepLogs: [KeepLogsInput, KeepLogsResult];
  hostStatus: [HostStatusInput, HostStatus];
  build: [BuildInput, BuildResult];
  deviceVerify: [DeviceVerifyInput, DeviceVerifyResult];
  rechunk: [RechunkInput, RechunkResult];
  sbom: [SbomInput, PushResult];
  gate: [GateInput, GateResult];
  push: [PushInput, PushResult];
  diskBuild: [DiskBuildInput, DiskBuildResult];
  bootTest: [BootTestInput, BootTestResult];
  plan: [PlanInput, PlanResult];
  compare: [CompareInput, CompareResult];
  supersede: [SupersedeInput, SupersedeResult];
  publish: [PublishInput, PublishResult];
  proveSigning: [ProveSigningInput, ProveSigningResult];
  sign: [SignInput, SignResult];
  verify: [VerifyInput, VerifyResult];
  attest: [AttestInput, AttestResult];
  tag: [TagInput, TagResult];
  record: [RecordInput, RecordResult];
  moveSharedTag: [MoveInput, MoveResult & { attempts: number }];
  lookAtTag: [LookAtTagInput, TagNow & { attempts: number }];
  planRollback: [PlanRollbackInput, RollbackPlan & { attempts: number }];
  planPromotion: [PlanPromotionInput, PromotionPlan & { attempts: number }];
  index: [IndexInput, { attempts: number; digest: string }];
  promoteCopy: [PromoteCopyInput, { attempts: number; mounted: number | null }];
  promoteRecord: [PromoteRecordInput, { attempts: number; digest: string }];
  planRotation: [RotationPageInput, { attempts: number; groups: RotationGroup[]; next: number | null }];
  rotateKeys: [RotationInput, { attempts: number; left: number }];
  notify: [NotifyInput, NotifyResult];
}
export type ActivityName = keyof Signatures;

/** What a stand-in knows of its call. */
export interface Call {
  activity: ActivityName;
  /** Workflow id of the release. */
  release: string;
  /** Name of the host whose queue it came by; null for control and sign. */
  host: string | null;
  attempt: number;
  input: unknown;
}

/** How a release's activities behave where they do not just succeed. `ordinary` gives the plain answer. */
export type Behaviour = {
  [Name in ActivityName]?: (
    input: Signatures[Name][0],
    call: Call & { ordinary: () => Signatures[Name][1] },
  ) => Promise<Signatures[Name][1]> | Signatures[Name][1];
};

const HOSTS = ['host-a', 'host-b'];
/** What the sign worker tells of its key. */
export const PUBLIC_KEY = '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n';

const ORDINARY: { [Name in ActivityName]: (input: Signatures[Name][0], call: Call) => Signatures[Name][1] } = {
  resolve: ({ request }, { attempt }) => ({
    attempts: attempt,
    unchanged: null,
    context: {
      repository: request.contextRepository,
      digest: request.context.kind === 'artifact' ? request.context.digest : digestOf(request.context.ref),
    },
    imageInputs: digestOf(`inputs ${JSON.stringify([request.context, request.buildArgs])}`),
    bases: (request.platforms ?? [undefined]).map((platform) => ({
      reference: 'registry.example/base:1',
      digest: digestOf('base'),
      ...(platform && { platform, manifest: digestOf(`base for ${platform}`) }),
    })),
    ...(request.platforms && {
      platforms: request.platforms.map((platform) => ({ platform, imageInputs: digestOf(`inputs ${platform}`) })),
    }),
    builder: request.disks.length > 0 ? { reference: request.builder.image, digest: digestOf('builder') } : null,
    ...(request.gates && {
      gates: request.gates.map(({ image, timeout: _, ...gate }) => ({
        ...gate,
        reference: image,
        digest: digestOf(image),
        arguments: digestOf(gate.arguments.join()).slice(-16),
      })),
    }),
    builderConfig: null,
    existingTag: null,
  }),
  hosts: (_, { attempt }) => ({ attempts: attempt, hosts: HOSTS }),
  claim: ({ exclude }, { attempt }) => {
    const host = HOSTS.find((name) => !exclude.includes(name));
    if (!host) throw failed('no-host', 'every host is excluded');
    return { attempts: attempt, host, transfers: 2 };
  },
  probe: (_, { host }) => ({ host: host!, since: '2026-01-01T00:00:00.000Z' }),
  cleanUp: () => ({ removed: ['work directory'] }),
  logPage: ({ offset }) => ({ text: 'a line\n', nextOffset: offset + 7, end: true }),
  keepLogs: ({ paths }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    digest: digestOf(`logs ${paths.join()}`),
  }),
  hostStatus: (_, { host }) => ({
    host: host!,
    architecture: 'amd64',
    architectures: ['amd64'],
    version: '0.0.0',
    startedAt: '2026-01-01T00:00:00.000Z',
    draining: null,
    slots: { build: { used: 0, limit: 2 }, disk: { used: 0, limit: 1 }, transfer: { used: 0, limit: 2 } },
    disk: { free: 1, total: 2 },
    leases: [],
    waiting: [],
    running: [],
    containers: [],
  }),
  build: ({ imageInputs, bases }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: { host: host!, path: '/logs/build.log' },
    imageId: digestOf(`image of ${imageInputs}`).slice(7),
    size: 700_000_000,
    adopted: false,
    bases,
  }),
  rechunk: ({ imageId }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: null,
    imageId: digestOf(`rechunked ${imageId}`).slice(7),
    size: 1,
  }),
  sbom: ({ imageId }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: null,
    digest: digestOf(`packages of ${imageId}`),
  }),
  gate: (input, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: { host: host!, path: '/logs/gate.log' },
    outcomes: input.gates.flatMap(({ name: gate }) =>
      lookedAt(input).map((thing) => ({ gate, ...thing, passed: true, said: '' })),
    ),
  }),
  push: ({ imageId }, { attempt, host }) => ({ attempts: attempt, host: host!, log: null, digest: digestOf(imageId) }),
  diskBuild: ({ image, types }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: { host: host!, path: `/logs/disk-build-${types.join('+')}.log` },
    inputs: digestOf(`${image.digest} ${types.join()}`),
    files: types.map((type) => ({ type, path: `/output/${type}/disk`, size: 1_000_000 })),
    container: 'flightline-0123456789ab',
  }),
  bootTest: ({ test }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: { host: host!, path: `/logs/boot-test-${test.disk}.log` },
    accelerator: 'kvm',
    after: 20_000,
    adopted: false,
  }),
  plan: ({ request, ...identity }, call) => ({
    ...ORDINARY.resolve({ ...identity, request }, call),
    base: null,
    notFound: [],
  }),
  compare: ({ template }, { attempt }) => ({
    attempts: attempt,
    commit: template.context.kind === 'git' ? 'c0ffee'.repeat(7).slice(0, 40) : null,
    change: 'image',
    reason: 'base b sha256:aaa → sha256:bbb',
    standing: null,
  }),
  supersede: (_, { attempt }) => ({ attempts: attempt, cancelled: false }),
  publish: ({ disk, inputs, keepFiles, file }, { attempt, host }) => ({
    attempts: attempt,
    host: host!,
    log: null,
    digest: disk.publish === 'none' ? null : digestOf(`${disk.type} ${inputs}`),
    file: {
      size: file.size,
      sha256: digestOf(disk.type).slice(7),
      host: host!,
      path: keepFiles === null ? file.path : `${keepFiles}/disk.${disk.type}`,
    },
  }),
  proveSigning: (_, { attempt }) => ({ attempts: attempt, publicKey: PUBLIC_KEY }),
  deviceVerify: (_, { attempt, host }) => ({ attempts: attempt, host: host!, log: null, tool: 'host' }),
  index: ({ entries }, { attempt }) => ({ attempts: attempt, digest: digestOf(`index ${JSON.stringify(entries)}`) }),
  sign: ({ tags }, { attempt }) => ({ attempts: attempt, signed: tags }),
  verify: (_, { attempt }) => ({ attempts: attempt }),
  attest: ({ made, record }, { attempt }) => ({
    attempts: attempt,
    attestations: made.map((subject) => ({
      subject,
      of: [record.image, ...record.disks.filter(({ type }) => type === subject)].at(-1)!.digest!,
      predicateType: 'https://slsa.dev/provenance/v1',
      digest: digestOf(`attestation of ${subject}`),
    })),
    vanished: [],
  }),
  tag: ({ moves }, { attempt }) => ({
    attempts: attempt,
    moved: moves.map(({ repository, tag }) => `${repository}:${tag}`),
    vanished: [],
  }),
  record: (_, { attempt }) => ({ attempts: attempt, digest: digestOf('record') }),
  moveSharedTag: ({ moves }, { attempt }) => ({
    attempts: attempt,
    refused: null,
    moved: moves.map(({ repository, tag }) => `${repository}:${tag}`),
    vanished: [],
  }),
  lookAtTag: (_, { attempt }) => ({ attempts: attempt, digest: null, record: null }),
  planPromotion: ({ request: { source, target, key } }, { attempt }) => ({
    attempts: attempt,
    sourceKey: 'release',
    key: key ?? 'release',
    record: digestOf(`record of ${source.tag}`),
    recordRepository: `${target.repository}/release`,
    madeBy: `release/${source.repository}:${source.tag}`,
    made: null,
    approval: false,
    items: [
      {
        subject: 'qcow2',
        digest: digestOf(`qcow2 of ${source.tag}`),
        from: { repository: `${source.repository}/diskimage-qcow2`, tag: source.tag },
        to: { repository: `${target.repository}/diskimage-qcow2`, tag: target.tag },
      },
      { subject: 'image', digest: digestOf(`image of ${source.tag}`), from: source, to: target },
    ],
  }),
  promoteCopy: (_, { attempt }) => ({ attempts: attempt, mounted: 2 }),
  promoteRecord: (_, { attempt }) => ({ attempts: attempt, digest: digestOf('promoted record') }),
  planRollback: ({ repository, tag, recordRepository, record }, { attempt }) => ({
    attempts: attempt,
    key: 'release',
    record,
    release: `release/${repository}:v1`,
    made: null,
    moves: [
      { repository, tag, digest: digestOf(`image of ${record}`), expected: 'any' },
      { repository: recordRepository, tag, digest: record, expected: 'any' },
    ],
  }),
  planRotation: (_, { attempt }) => ({ attempts: attempt, groups: [], next: null }),
  rotateKeys: (_, { attempt }) => ({ attempts: attempt, left: 0 }),
  notify: (_, { attempt }) => ({ attempts: attempt, answered: 200 }),
};

/** What gates look at, with its digest. */
export function lookedAt({ looksAt, branch }: GateInput): { subject: string; digest: string }[] {
  if ('imageId' in looksAt) return [{ subject: branch, digest: `sha256:${looksAt.imageId}` }];
  return looksAt.files.map(({ subject }) => ({ subject, digest: digestOf(`file of ${subject}`) }));
}

/** A failure as activities report it. */
export function failed(kind: FailureKind, message: string): ApplicationFailure {
  const nonRetryable = FAILURES[kind].disposition !== 'retry';
  return ApplicationFailure.create({ type: kind, message, nonRetryable, details: [failureOf(kind, message)] });
}

/** Works until it is cancelled, with heartbeats. */
export async function untilCancelled(): Promise<never> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat({ line: 'working' }), 50);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
}

/** Says nothing for `milliseconds`, as a host that was switched off. */
export async function silent(milliseconds = 8_000): Promise<never> {
  await pause(milliseconds);
  throw failed('unexpected', 'nobody waits for this any more');
}

/** Makes the stand-ins of one test file, and keeps what was asked of them. */
export class StandIns {
  readonly calls: Call[] = [];
  private readonly behaviours = new Map<string, Behaviour>();

  /** Says how the activities of a release behave. */
  behave(release: string, behaviour: Behaviour): void {
    this.behaviours.set(release, behaviour);
  }

  /** The calls for a release, in order; of some activities only, if any are named. */
  callsOf(release: string, ...names: ActivityName[]): Call[] {
    return this.calls.filter(
      (call) => call.release === release && (names.length === 0 || names.includes(call.activity)),
    );
  }

  /** The hosts to which an activity of a release came, in alphabetical order. */
  hostsOf(release: string, activity: ActivityName): string[] {
    const hosts = this.callsOf(release, activity).map(({ host }) => host ?? 'none');
    return hosts.sort((left, right) => left.localeCompare(right));
  }

  /** The activities of some names, as a worker takes them. */
  activities(host: string | null, names: readonly ActivityName[]): Record<string, (input: never) => Promise<unknown>> {
    return Object.fromEntries(names.map((name) => [name, (input: never) => this.answer(name, host, input)]));
  }

  private async answer<Name extends ActivityName>(
    activity: Name,
    host: string | null,
    input: Signatures[Name][0],
  ): Promise<Signatures[Name][1]> {
    const { workflowExecution, attempt } = Context.current().info;
    const release = (workflowExecution?.workflowId ?? '')
      .replace(/\/disks\/.*$/, '')
      .replace(/^notify\/(.*)\/[^/]+\/\d+$/, '$1');
    const call: Call = { activity, release, host, attempt, input };
    this.calls.push(call);
    const ordinary = () => ORDINARY[activity](input, call);
    const behaviour = this.behaviours.get(release)?.[activity];
    return behaviour ? behaviour(input, { ...call, ordinary }) : ordinary();
  }
}
