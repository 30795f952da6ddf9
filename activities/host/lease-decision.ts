/** Decides which branch gets a slot of a host, and when. Pure: files, clock and file systems are read elsewhere. */
import { z } from 'zod';

/** The kinds of slot that a host limits. */
export const SLOTS = ['build', 'disk'] as const;
type Slot = (typeof SLOTS)[number];

const Instant = z.iso.datetime();
const Bytes = z.number().int().nonnegative();

/** A granted lease, as in its file. */
export const Lease = z.object({
  /** Workflow id and run id of the release. */
  release: z.string(),
  runId: z.string(),
  branch: z.string(),
  /** Null once the slot is returned. The space stays promised until clean-up. */
  slot: z.enum(SLOTS).nullable(),
  /** Promised bytes, including those that are already written. */
  space: Bytes,
  requestedAt: Instant,
  grantedAt: Instant,
  /** When an activity last confirmed the lease; null before the first time. */
  confirmedAt: Instant.nullable(),
  /** Milliseconds without confirmation after which the lease lapses. */
  lifetime: z.number().int().positive(),
});
export type Lease = z.infer<typeof Lease>;

/** A waiting claim, as in its file. */
export const LeaseRequest = z.object({
  release: z.string(),
  runId: z.string(),
  branch: z.string(),
  slot: z.enum(SLOTS),
  space: Bytes,
  requestedAt: Instant,
  /** Forgotten after this moment, unless it is repeated. */
  seenUntil: Instant,
});
export type LeaseRequest = z.infer<typeof LeaseRequest>;

/** The input of a decision. */
interface HostState {
  readonly name: string;
  readonly limits: Readonly<Record<Slot, number>>;
  readonly leases: readonly Lease[];
  readonly requests: readonly LeaseRequest[];
  /** Free and total bytes of the fullest file system that a build writes to. */
  readonly free: number;
  readonly total: number;
  /** Bytes that each release has written below the work directory, by which the free space has already shrunk. */
  readonly used: ReadonlyMap<string, number>;
  /** Why the host is being drained (activities/host/drain.ts); null when it is not. */
  readonly draining: string | null;
}

/** Granted, or why not. For `disk-full`, waiting does not help. */
export type ClaimDecision =
  | { readonly granted: true }
  | { readonly granted: false; readonly kind: 'no-slot' | 'disk-full'; readonly reason: string };

type Branch = Pick<Lease, 'release' | 'branch'>;

/** `true` when both are about the same branch of the same release. */
export function sameBranch(left: Branch, right: Branch): boolean {
  return left.release === right.release && left.branch === right.branch;
}

/** `true` when no activity has confirmed the lease for its lifetime. */
export function hasLapsed(lease: Lease, now: Date): boolean {
  return now.getTime() - Date.parse(lease.confirmedAt ?? lease.grantedAt) > lease.lifetime;
}

/** `true` while the lease holds its slot: not returned, and granted or confirmed within its lifetime. */
export function slotCounts(lease: Lease, now: Date): boolean {
  return lease.slot !== null && !hasLapsed(lease, now);
}

/** `true` for a lapsed lease that was never used. A used one keeps its space, since its files may exist. */
export function isVoid(lease: Lease, now: Date): boolean {
  return lease.slot !== null && lease.confirmedAt === null && !slotCounts(lease, now);
}

/** `true` while a waiting claim is repeated often enough to be remembered. */
export function isRemembered(request: Pick<LeaseRequest, 'seenUntil'>, now: Date): boolean {
  return Date.parse(request.seenUntil) >= now.getTime();
}

/**
 * Grants or refuses a claim. A branch with a lease gets it again. Others need a free slot and enough space, and the
 * oldest request comes first.
 */
export function decideClaim(claim: LeaseRequest, host: HostState, now: Date): ClaimDecision {
  const held = host.leases.find((lease) => sameBranch(lease, claim));
  if (held?.runId === claim.runId && held.slot === claim.slot && slotCounts(held, now)) return { granted: true };

  const others = leasesBeside(claim, host.leases, now);
  const space = decideSpace(claim, others, host);
  if (!space.granted && space.kind === 'disk-full') return space;
  if (host.draining !== null) return refusal(host.draining);

  const running = others.filter((lease) => lease.slot === claim.slot && slotCounts(lease, now));
  const limit = host.limits[claim.slot];
  if (running.length >= limit) {
    const releases = [...new Set(running.map((lease) => lease.release))].join(', ');
    return refusal(`${host.name} has ${running.length} of ${limit} ${SLOT_WORDS[claim.slot]} running (${releases})`);
  }
  const earlier = host.requests.filter(
    (request) =>
      request.slot === claim.slot &&
      isEarlier(request, claim) &&
      isRemembered(request, now) &&
      !isFormerRun(request, claim) &&
      mayFit(request, host, now),
  );
  if (limit - running.length <= earlier.length) {
    return refusal(`${host.name} has promised its next slot to ${earlier[0]!.release}, which asked earlier`);
  }
  return space;
}

/**
 * The leases that remain when the claim is granted: all but its own former one and void ones. A new run of a release
 * also takes over the leases of its former run, which has ended: one workflow id has one open run.
 */
export function leasesBeside(claim: LeaseRequest, leases: readonly Lease[], now: Date): Lease[] {
  return leases.filter((lease) => !isVoid(lease, now) && !sameBranch(lease, claim) && !isFormerRun(lease, claim));
}

/** Bytes as text, in the unit for `scale`. */
function inUnit(bytes: number, scale: number, round: (value: number) => number): string {
  const [unit, name] = scale >= 1024 ** 3 ? [1024 ** 3, 'GiB'] : [1024 ** 2, 'MiB'];
  return `${round(bytes / unit)} ${name}`;
}

const SLOT_WORDS: Record<Slot, string> = { build: 'image builds', disk: 'disk builds' };

function refusal(reason: string): ClaimDecision {
  return { granted: false, kind: 'no-slot', reason };
}

function isFormerRun(one: Pick<Lease, 'release' | 'runId'>, claim: LeaseRequest): boolean {
  return one.release === claim.release && one.runId !== claim.runId;
}

function isEarlier(request: LeaseRequest, claim: LeaseRequest): boolean {
  const order = Date.parse(request.requestedAt) - Date.parse(claim.requestedAt);
  if (order !== 0) return order < 0;
  const key = (one: Branch) => `${one.release}\n${one.branch}`;
  return key(request) < key(claim);
}

/**
 * `false` for a request that would not fit even if all that runs had ended. Held releases keep their space for days,
 * and such a request must not block the others that long.
 */
function mayFit(request: LeaseRequest, host: HostState, now: Date): boolean {
  const keeping = leasesBeside(request, host.leases, now).filter((lease) => !slotCounts(lease, now));
  return decideSpace(request, keeping, host).granted;
}

function decideSpace(claim: LeaseRequest, others: readonly Lease[], host: HostState): ClaimDecision {
  const need = (space: number) => inUnit(space, space, Math.ceil);
  if (claim.space > host.total) {
    const total = inUnit(host.total, claim.space, Math.floor);
    return {
      granted: false,
      kind: 'disk-full',
      reason: `${host.name} has ${total} in all, and this needs ${need(claim.space)}`,
    };
  }
  const promised = new Map<string, number>();
  for (const lease of others) promised.set(lease.release, (promised.get(lease.release) ?? 0) + lease.space);
  const unwritten = (release: string, space: number) => Math.max(0, space - (host.used.get(release) ?? 0));
  let available = host.free;
  for (const [release, space] of promised) available -= unwritten(release, space);
  const own = promised.get(claim.release) ?? 0;
  const wanted = unwritten(claim.release, own + claim.space) - unwritten(claim.release, own);
  if (wanted <= available) return { granted: true };
  return refusal(
    `${host.name} has ${inUnit(Math.max(0, available), wanted, Math.floor)} free of the ${need(wanted)} this needs`,
  );
}
