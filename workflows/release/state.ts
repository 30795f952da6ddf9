/**
 * All that a release knows of itself, as plain data. Branches read it; whatever changes the plan, the image, the
 * disks or the tags has a function here, so that no part of the release goes on with what another part has given up.
 */
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { BuilderRunResult } from '../../model/contract/workflows.ts';
import type { Failure } from '../../model/failure/failure.ts';
import type { MissingPlatform } from '../../model/release/approval.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isOfBranch, releaseStages, StageTable, type RequestedRun } from '../../model/release/stage-table.ts';
import { followsPush, isOfImage, stagesOf, type ReleaseStatus } from '../../model/stage/stage.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { nothingAttested, type AttestedState } from './attested-state.ts';
import { closedGate, type ApprovalGate } from '../approval.ts';
import type { LogsKept } from '../host/clean-up.ts';
import type { Plan } from './plan.ts';
import { noGates, type GatesState } from './gates-state.ts';
import { noImage, unsigned, type ImageState } from './image-state.ts';
import { forgetReused, type JoinedDisk, type ReusedDisks } from './reused.ts';

/** One builder run with its disks. */
export interface RunState {
  readonly run: RequestedRun;
  /** What it makes; another key is another run. */
  readonly key: string;
  readonly imageInputs: string;
  readonly requestedAt: string;
  /** The plan that it belongs to. */
  plan: Plan;
  /** The host of its last child, which has its files. */
  host: string | null;
  /**
   * Null while it runs or is held; `again` when it must begin again: the plan changed while it was held, or the
   * registry lost what it is made of; `image-lost` when the image must be pushed again before.
   */
  outcome: 'done' | 'again' | 'image-lost' | 'failed' | null;
  result: BuilderRunResult | null;
}

/** The proof that the key signs and that what is signed may be pushed. */
interface ProofState {
  /** The repositories for which it was given, joined by commas; null when there is none. */
  repositories: string | null;
  publicKey: string | null;
  /** A proof beside resolve failed: the image branch is held for it once there is a plan. */
  failure: Failure | null;
}

export interface ReleaseState {
  readonly identity: ReleaseIdentity;
  /** When the release began, ISO 8601. */
  readonly startedAt: string;
  request: ReleaseRequest;
  /** Null until resolved. */
  plan: Plan | null;
  /** A changed spec is being resolved: nothing that is held goes on meanwhile. */
  resolving: boolean;
  /** The plan that takes the place of the present one as soon as its branches have come to a point where it can. */
  next: Plan | null;
  /** Why the last changed spec was not taken over. */
  refusedSpec: string | null;
  readonly table: StageTable;
  readonly proof: ProofState;
  image: ImageState;
  /** Disks of an earlier release that are signed and verified again, and not made, by type. */
  readonly reused: ReusedDisks;
  /** By subject, like the next. */
  readonly runs: Map<string, RunState>;
  /** Of several platforms, the index of each disk, by type. */
  readonly joined: Map<string, JoinedDisk>;
  /** Workflow ids of builder runs. */
  readonly children: Map<string, string>;
  /** Every host that holds something of this release. */
  readonly hosts: Set<string>;
  /** How often the registry lost something of a branch. */
  readonly lost: Map<string, number>;
  readonly gate: ApprovalGate;
  /** Platforms that it goes on without. The request does not name them any more. */
  leftOut: readonly MissingPlatform[];
  /** Held branches, the longest held first, and those that are not finished. */
  readonly holds: Map<string, Failure>;
  readonly active: Set<string>;
  /** `repository:tag` of what was moved. */
  moved: string[];
  /** What a tag activity was moving when it was stopped, if it could not say how far it came. */
  maybeMoved: string[];
  /** Why shared tags stay as they are, by tag. */
  readonly refusedTags: Map<string, string>;
  readonly attested: AttestedState;
  readonly gates: GatesState;
  logs: LogsKept;
  /** The hosts hold nothing any more. */
  cleanedUp: boolean;
  ending: boolean;
  outcome: { status: ReleaseStatus; failure: Failure | null; record: ReleaseRecord | null } | null;
}

export function newState(identity: ReleaseIdentity, request: ReleaseRequest): ReleaseState {
  return {
    identity,
    startedAt: new Date().toISOString(),
    request,
    plan: null,
    resolving: false,
    next: null,
    refusedSpec: null,
    table: new StageTable(releaseStages(request)),
    proof: { repositories: null, publicKey: null, failure: null },
    image: noImage(),
    reused: new Map(),
    runs: new Map(),
    joined: new Map(),
    children: new Map(),
    hosts: new Set(),
    lost: new Map(),
    gate: closedGate(`${request.repository}:${request.tag}`),
    leftOut: [],
    holds: new Map(),
    active: new Set(),
    moved: [],
    maybeMoved: [],
    refusedTags: new Map(),
    attested: nothingAttested(),
    gates: noGates(),
    logs: { kept: [], warnings: [] },
    cleanedUp: false,
    ending: false,
    outcome: null,
  };
}

/** Where the release stands. While a changed spec is resolved nobody is waited for. */
export function releaseStatus({ outcome, holds, active, resolving }: ReleaseState): ReleaseStatus {
  if (outcome) return outcome.status;
  const held = !resolving && holds.size > 0 && [...active].every((branch) => holds.has(branch));
  return held ? 'held' : 'running';
}

/** What a branch asks at each point where it could stop: whether another plan than its own is to be followed. */
export function isOutdated({ plan, next }: ReleaseState, mine: Plan): boolean {
  return next !== null || plan !== mine;
}

/** Whether a disk's run found that the registry lost the image. */
export function isImageLost({ runs }: ReleaseState): boolean {
  return [...runs.values()].some(({ outcome }) => outcome === 'image-lost');
}

/** The registry lost the image: it is to be pushed, signed and verified again. */
export function unpushImage(state: ReleaseState): void {
  Object.assign(state.image, { push: null, sbom: null });
  const gone = { push: null, sbom: null, kept: undefined };
  for (const platform of state.image.platforms.values()) Object.assign(platform, gone);
  unsignImage(state);
  // Another image may come of it, and these disks are not made of that.
  forgetReused(state, [...state.reused.keys()]);
  state.table.updateAll(({ name }) => name === 'push' || name === 'index' || name === 'sbom', {
    status: 'waiting',
    at: Date.now(),
  });
}

/** The image is not what it should be: it is to be built again. */
export function discardImage(state: ReleaseState): void {
  state.image = noImage(state.image.host);
  forgetReused(state, [...state.reused.keys()]);
  for (const subject of new Set(state.table.rows.map((row) => row.subject))) {
    if (isOfImage(subject)) resetRows(state, subject);
  }
}

/** The image is to be signed and verified again. */
export function unsignImage(state: ReleaseState): void {
  Object.assign(state.image, unsigned());
  const change = { status: 'waiting', at: Date.now() } as const;
  state.table.updateAll((row) => isOfImage(row.subject) && followsPush(row.name), change);
}

/** The builder run is made again from the start, if it is still wanted. */
export function forgetRun(state: ReleaseState, subject: string): void {
  state.runs.delete(subject);
  resetRows(state, subject);
}

/** A disk's index is made again, of what its platforms publish again. */
export function forgetJoined(state: ReleaseState, type: string): void {
  state.joined.delete(type);
  for (const { kept } of state.image.platforms.values()) if (kept) kept.disks = [];
  for (const [subject, { run }] of state.runs) {
    if (run.disks.some((disk) => disk.type === type)) forgetRun(state, subject);
  }
  resetRows(state, type);
}

/** The rows of a branch wait again. */
export function resetRows({ table }: ReleaseState, branch: string): void {
  const change = { status: 'waiting', at: Date.now(), host: null, log: null } as const;
  table.updateAll((row) => isOfBranch(row, branch) && row.status !== 'waiting', change);
}

/** Nothing is attested, tagged or recorded yet: something else is to be released. */
export function resetEnd(state: ReleaseState): void {
  Object.assign(state.attested, { digests: null, attestations: [] } satisfies Partial<AttestedState>);
  const ends = stagesOf('end', 'release', state.request).map(({ name }) => name);
  state.table.updateAll((row) => ends.includes(row.name), { status: 'waiting', at: Date.now() });
}

/** Lets every held branch go on; returns which. */
export function resume(state: ReleaseState): string[] {
  const resumed = [...state.holds.keys()];
  state.holds.clear();
  state.table.updateAll((row) => row.status === 'held', { status: 'waiting', at: Date.now() });
  return resumed;
}

/** Lets one held branch go on. */
export function resumeBranch(state: ReleaseState, branch: string): void {
  state.holds.delete(branch);
  const change = { status: 'waiting', at: Date.now() } as const;
  state.table.updateAll((row) => row.status === 'held' && isOfBranch(row, branch), change);
}

export function addMoved(state: ReleaseState, moved: readonly string[]): void {
  state.moved = [...new Set([...state.moved, ...moved])];
}
