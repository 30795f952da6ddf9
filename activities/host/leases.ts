/**
 * A host's leases, one JSON file (0600) each in its work directory, so that they survive a restart of the worker. One
 * process owns a work directory, and makes one change at a time.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { releaseKey } from '../../model/release/inputs.ts';
import type { Timing } from '../../model/base/timing.ts';
import { drainingOf, drainingReason } from './drain.ts';
import { bytesBelow, type Space } from './space.ts';
import { readNote, writeNote } from '../tools/note.ts';
import {
  decideClaim,
  hasLapsed,
  isRemembered,
  isVoid,
  Lease,
  LeaseRequest,
  leasesBeside,
  sameBranch,
  type ClaimDecision,
} from './lease-decision.ts';
import { type LeaseHost, requestFile, leaseFile, keyOf, readLeaseFiles } from './lease-files.ts';

/**
 * Grants or refuses a claim, and stores it: a granted one as a lease, a refused one as a request, which precedes later
 * ones while it is repeated. The same branch gets the same lease again.
 */
export async function claimLease(
  host: LeaseHost,
  claim: LeaseRequest,
  timing: Pick<Timing, 'leaseLifetime'>,
  space: () => Promise<Space>,
  now = new Date(),
): Promise<ClaimDecision> {
  // Not in the queue: while podman does not answer, running builds must be able to confirm their leases.
  const room = await space();
  return exclusively(host, async () => {
    const files = await readLeaseFiles(host);
    const releases = new Set([claim.release, ...files.leases.map((lease) => lease.release)]);
    const used = new Map<string, number>();
    for (const release of releases) used.set(release, await bytesBelow(host.work.release(release)));
    const { limits } = host.configuration;
    const drain = await drainingOf(host.work);
    const draining = drain && drainingReason(host.name, drain);
    const decision = decideClaim(claim, { name: host.name, limits, ...files, ...room, used, draining }, now);
    for (const request of files.requests) {
      if (!isRemembered(request, now)) await rm(requestFile(host, request), { force: true });
    }
    if (!decision.granted) {
      await writeNote(requestFile(host, claim), LeaseRequest, claim);
      return decision;
    }
    const staying = leasesBeside(claim, files.leases, now);
    for (const lease of files.leases) {
      if (!staying.includes(lease)) await rm(leaseFile(host, lease), { force: true });
    }
    const { release, runId, branch, slot, requestedAt } = claim;
    const held = files.leases.find((lease) => sameBranch(lease, claim));
    await writeNote(leaseFile(host, claim), Lease, {
      release,
      runId,
      branch,
      slot,
      space: claim.space,
      requestedAt,
      grantedAt: now.toISOString(),
      // A used lease has files, so it still counts as used.
      confirmedAt: held?.runId === runId && held.confirmedAt !== null ? now.toISOString() : null,
      lifetime: timing.leaseLifetime,
    } satisfies Lease);
    await rm(requestFile(host, claim), { force: true });
    return decision;
  });
}

/** Forgets a waiting claim that excludes this host. */
export async function forgetRequest(host: LeaseHost, branch: Pick<Lease, 'release' | 'branch'>): Promise<void> {
  await exclusively(host, () => rm(requestFile(host, branch), { force: true }));
}

/** Confirms that an activity of the branch runs. `false` when the branch has no lease here. */
export async function confirmLease(host: LeaseHost, release: string, branch: string): Promise<boolean> {
  return change(host, release, branch, (lease) => ({ ...lease, confirmedAt: new Date().toISOString() }));
}

/**
 * Confirms a confirmed lease again and again until the returned function is called. It resolves when no confirmation is
 * under way.
 */
export function keepLease(
  host: LeaseHost,
  release: string,
  branch: string,
  timing: Pick<Timing, 'leaseLifetime'>,
): () => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(
    () => {
      // A full disk must not end the build; the next confirmation may succeed.
      last = confirmLease(host, release, branch).catch(() => false);
    },
    Math.max(100, timing.leaseLifetime / 4),
  );
  return async () => {
    clearInterval(timer);
    await last;
  };
}

/**
 * Returns the slot of a branch. A disk build keeps its promised space, less what it has written, since publication may
 * need it. An image build does not: its image is in the container storage, so the free space accounts for it. `false`
 * when the branch has no lease here.
 */
export async function returnSlot(host: LeaseHost, release: string, branch: string): Promise<boolean> {
  return change(host, release, branch, (lease) => ({
    ...lease,
    slot: null,
    space: lease.slot === 'build' ? 0 : lease.space,
  }));
}

/**
 * Extends the leases that were in use when the worker ended by a whole lifetime: nothing could confirm them, and their
 * containers may still run. Call it before claims are answered.
 */
export async function renewLeases(host: LeaseHost, now = new Date()): Promise<void> {
  await exclusively(host, async () => {
    for (const lease of (await readLeaseFiles(host)).leases) {
      if (lease.slot === null || lease.confirmedAt === null) continue;
      await writeNote(leaseFile(host, lease), Lease, { ...lease, confirmedAt: now.toISOString() });
    }
  });
}

/** Removes every lease and request of a release, including damaged files. Returns the branches that had a lease. */
export async function releaseLeases(host: LeaseHost, release: string): Promise<string[]> {
  return exclusively(host, async () => {
    const { leases } = await readLeaseFiles(host);
    for (const directory of [host.work.leases, host.work.requests]) {
      for (const name of await readdir(directory)) {
        if (keyOf(name) === releaseKey(release)) await rm(join(directory, name), { force: true });
      }
    }
    return leases.filter((lease) => lease.release === release).map((lease) => lease.branch);
  });
}

/**
 * Removes void leases, forgotten requests, damaged files, and files that a killed process left half written. Returns
 * what it removed, in words.
 */
export async function sweepLeases(host: LeaseHost, now = new Date()): Promise<string[]> {
  return exclusively(host, async () => {
    const files = await readLeaseFiles(host);
    const removed: string[] = [];
    const remove = async (path: string, words: string) => {
      await rm(path, { force: true });
      removed.push(words);
    };
    for (const lease of files.leases) {
      if (isVoid(lease, now)) await remove(leaseFile(host, lease), `void lease ${lease.branch} of ${lease.release}`);
    }
    for (const request of files.requests) {
      if (!isRemembered(request, now)) {
        await remove(requestFile(host, request), `forgotten claim ${request.branch} of ${request.release}`);
      }
    }
    for (const path of files.damaged) await remove(path, `damaged file ${path}`);
    for (const directory of [host.work.leases, host.work.requests]) {
      for (const name of await readdir(directory)) {
        if (!name.endsWith('.json')) await remove(join(directory, name), `unfinished file ${name}`);
      }
    }
    return removed;
  });
}

/** The keys ({@link releaseKey}) of all releases that have a file here, whatever it contains. */
export async function leasedKeys(host: LeaseHost): Promise<Set<string>> {
  return new Set((await readdir(host.work.leases)).map(keyOf));
}

/**
 * The leases that nothing confirms: void ones, those of releases between two activities, and those left behind.
 */
export async function lapsedLeases(host: LeaseHost, now = new Date()): Promise<Lease[]> {
  return (await readLeaseFiles(host)).leases.filter((lease) => hasLapsed(lease, now));
}

const queues = new Map<string, Promise<unknown>>();

/** Runs one body at a time per work directory. */
async function exclusively<Result>(host: LeaseHost, body: () => Promise<Result>): Promise<Result> {
  const before = queues.get(host.work.path) ?? Promise.resolve();
  const mine = before.then(body, body);
  queues.set(host.work.path, mine);
  return mine;
}

async function change(host: LeaseHost, release: string, branch: string, to: (lease: Lease) => Lease): Promise<boolean> {
  return exclusively(host, async () => {
    const path = leaseFile(host, { release, branch });
    const lease = await readNote(path, Lease);
    if (!lease) return false;
    await writeNote(path, Lease, to(lease));
    return true;
  });
}
