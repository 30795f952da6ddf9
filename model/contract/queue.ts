/** Task queues, and which role polls which. */
import { z } from 'zod';
import { HostName, type Architecture } from '../base/host.ts';

/** Roles of a worker process: `control` runs workflows and reads, `build` owns a host, `sign` holds the keys. */
export const ROLES = ['control', 'build', 'sign'] as const;
export type Role = (typeof ROLES)[number];

/** Polled by control workers: workflows, resolve, git packing. */
export const CONTROL_QUEUE = 'flightline';

/**
 * Polled by sign workers, which run one activity at a time: a `.sig` tag is read, changed and written back, so two
 * signers at once would lose signatures.
 */
export const SIGN_QUEUE = 'flightline-sign';

/** Polled by every host that builds for an architecture, for `claim` only. */
export function claimQueue(architecture: Architecture): string {
  return `flightline-build-${architecture}`;
}

/** A worker's identity at the server, with the version of its package: `flightline-build@host-a/0.2.0`. */
export function workerIdentity(role: Role, host: string, version: string): string {
  return `flightline-${role}@${host}/${version}`;
}

/** A worker that asked for work within this time (ms) is there: workers ask at least once a minute. */
export const ASKS_WITHIN = 75_000;

/** Whether a worker that asked for work at a time (ISO 8601; null when the server does not tell) is there. */
export function asksForWork(lastSeen: string | null, now: number): boolean {
  return lastSeen === null || now - Date.parse(lastSeen) < ASKS_WITHIN;
}

const IDENTITY = /^flightline-(?<role>[a-z]+)@(?<host>[^/]+)\/(?<version>\S+)$/;
const Identity = z.object({ role: z.enum(ROLES), host: HostName, version: z.string() });

/** What a worker's identity tells; `undefined` for other programs that poll. */
export function workerOfIdentity(identity: string): z.infer<typeof Identity> | undefined {
  return Identity.safeParse(IDENTITY.exec(identity)?.groups).data;
}

/** The host in a build worker's identity; `undefined` for all others. */
export function hostOfIdentity(identity: string): string | undefined {
  const worker = workerOfIdentity(identity);
  return worker?.role === 'build' ? worker.host : undefined;
}

/** The kinds of work of a host. Each has its own queue, so that a long disk build never delays a probe. */
export const HOST_WORK = ['build', 'disk', 'transfer', 'short'] as const;
export type HostWork = (typeof HOST_WORK)[number];

/** A host's queue for one kind of work: `flightline-host-<name>-<work>`. */
export function hostQueue(host: string, work: HostWork): string {
  return `flightline-host-${host}-${work}`;
}

/** How many `short` activities (probe, claim, clean-up, log page) a host runs at once. */
export const SHORT_SLOTS = 20;
