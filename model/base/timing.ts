/**
 * Every duration that decides how soon a fault is noticed and how long something is tried. They travel in the workflow's
 * input, so that a test scales them without touching code (DESIGN §4). All values are milliseconds.
 */
import { z } from 'zod';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The defaults, in milliseconds. */
export const DEFAULT_TIMING = {
  /** How often a long activity reports its progress. */
  heartbeatInterval: 3 * SECOND,
  /** No heartbeat for so long: the worker or its host is gone. */
  heartbeatTimeout: 30 * SECOND,
  /** A host's queue takes a task within this, else its worker is asked whether it lives. */
  hostScheduleToStart: 60 * SECOND,
  /** A probe is taken within this, else the host is gone. */
  probeScheduleToStart: 20 * SECOND,
  /** A probe answers within this. */
  probeStartToClose: 10 * SECOND,
  /** Pause between two refused claims of a lease. */
  claimRetry: 3 * SECOND,
  /** How long the release's own host is asked alone before any host may take a builder run. */
  claimPreferred: 20 * SECOND,
  /** A lease that no activity confirmed for so long is void. */
  leaseLifetime: 2 * MINUTE,
  /** First pause before a failed activity is tried again. */
  retryInitial: 2 * SECOND,
  /** Longest pause between two tries. */
  retryMaximum: 2 * MINUTE,
  /** Failures worth retrying are retried for so long, then the branch is held. */
  retryFor: HOUR,
  /** One attempt at a short activity of the control or sign role (each command has a deadline of its own). */
  shortStartToClose: 5 * MINUTE,
  /** One attempt at `podman build`. */
  buildStartToClose: 6 * HOUR,
  /** One attempt at a builder run. */
  diskBuildStartToClose: 12 * HOUR,
  /** One attempt at a push or publication. */
  transferStartToClose: 6 * HOUR,
  /** No growth of log or output for so long: the build hangs. */
  stall: 20 * MINUTE,
  /** One command against a registry. */
  command: 4 * MINUTE,
  /** Grace for a container between SIGTERM and SIGKILL. */
  stopGrace: 5 * SECOND,
  /** A held branch waits so long for `flightline retry`. */
  holdFor: 7 * DAY,
  /** Clean-up on a host is tried so long; the janitor does the rest. */
  cleanUpFor: 30 * SECOND,
} as const;

export type Timing = { [name in keyof typeof DEFAULT_TIMING]: number };

const milliseconds = z.number().int().positive();

/** The shape in the inputs of workflows and activities. A value that is left out is the default. */
export const TimingSchema: z.ZodType<Timing> = z.object(
  Object.fromEntries(
    Object.entries(DEFAULT_TIMING).map(([name, value]) => [name, milliseconds.default(value)]),
  ) as unknown as Record<keyof Timing, z.ZodType<number>>,
);

/** `true` for a timing, in full or without what are the defaults. */
export function isTiming(value: unknown): value is Partial<Timing> {
  return TimingSchema.safeParse(value).success;
}

/** The values that are not the defaults: what {@link TimingSchema} makes the same timing of. */
export function withoutDefaults(timing: Partial<Timing>): Partial<Timing> {
  return Object.fromEntries(
    Object.entries(timing).filter(([name, value]) => value !== DEFAULT_TIMING[name as keyof Timing]),
  );
}

/** The default timing with some values replaced. */
export function timingWith(changes: Partial<Timing> = {}): Timing {
  return { ...DEFAULT_TIMING, ...changes };
}
