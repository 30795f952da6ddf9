/** Task queues, and which role polls which. */
import { z } from 'zod';
import type { Stage } from '../release/stage.ts';

/** Roles of a worker process. `control` runs workflows and reads; `build` owns a host; `sign` holds the keys. */
export const ROLES = ['control', 'build', 'sign'] as const;
export type Role = (typeof ROLES)[number];

/** Whose workers do a stage. */
export function roleOf(stage: Stage): Role {
  switch (stage) {
    case 'resolve':
      return 'control';
    case 'build':
    case 'push':
    case 'device-verify':
    case 'disk-build':
    case 'boot-test':
    case 'publish':
      return 'build';
    case 'sign':
    case 'verify':
    case 'tag':
    case 'record':
      return 'sign';
  }
}

/** Polled by control workers: workflows, resolve, git packing. */
export const CONTROL_QUEUE = 'flightline';

/**
 * Polled by sign workers, one activity at a time: `.sig` tags are read, changed and written back, so two signers lose
 * signatures.
 */
export const SIGN_QUEUE = 'flightline-sign';

/** Architectures in Go's and OCI's names. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** Polled by every build host of an architecture, for `claim` only. */
export function claimQueue(architecture: Architecture): string {
  return `flightline-build-${architecture}`;
}

/** A host's name: a DNS label or name in lower case, stable across restarts, since queue names are made of it. */
export const HostName = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    'is not a host name: use lower-case letters, digits, "-" and ".", at most 63',
  );

/** How a worker calls itself to the server: `flightline-build@host-a`. */
export function workerIdentity(role: Role, host: string): string {
  return `flightline-${role}@${host}`;
}

/** Role and host of a worker's identity; `undefined` for whoever else polls. */
export function workerOfIdentity(identity: string): { role: Role; host: string } | undefined {
  for (const role of ROLES) {
    const prefix = workerIdentity(role, '');
    const host = identity.startsWith(prefix) ? HostName.safeParse(identity.slice(prefix.length)).data : undefined;
    if (host !== undefined) return { role, host };
  }
  return undefined;
}

/** The host of a build worker's identity; `undefined` for whoever else polls. */
export function hostOfIdentity(identity: string): string | undefined {
  const prefix = workerIdentity('build', '');
  const host = identity.startsWith(prefix) ? identity.slice(prefix.length) : '';
  return HostName.safeParse(host).data;
}

/** The kinds of work a host does, each on a queue of its own so that a long disk build never delays a probe. */
export const HOST_WORK = ['build', 'disk', 'transfer', 'short'] as const;
export type HostWork = (typeof HOST_WORK)[number];

/** A host's queue for one kind of work: `flightline-host-<name>-<work>`. */
export function hostQueue(host: string, work: HostWork): string {
  return `flightline-host-${host}-${work}`;
}

/** How many `short` activities (probe, claim, clean-up, log page) a host runs at once. */
export const SHORT_SLOTS = 20;
