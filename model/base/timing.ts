/**
 * How soon a fault is noticed, and how long something is tried (milliseconds). The values travel in the workflow's
 * input, so that tests can scale them.
 */
import { z } from 'zod';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The defaults, in milliseconds. */
export const DEFAULT_TIMING = {
  /** Without a heartbeat for this long, the worker or its host counts as gone. */
  heartbeatTimeout: 30 * SECOND,
  /** A task that waits longer than this in a host's queue makes the workflow probe the host. */
  hostScheduleToStart: 60 * SECOND,
  /** When no worker picks a probe up within this time, the host counts as gone. */
  probeScheduleToStart: 20 * SECOND,
  /** How long a probe may take. */
  probeStartToClose: 10 * SECOND,
  /** Pause after a refused claim. */
  claimRetry: 3 * SECOND,
  /** How long a builder run waits for the host that built the image before any host may take it. */
  claimPreferred: 20 * SECOND,
  /** A lease that no activity confirms for this long lapses. */
  leaseLifetime: 2 * MINUTE,
  /** First pause before a failed activity is retried. */
  retryInitial: 2 * SECOND,
  /** Longest pause between two attempts. */
  retryMaximum: 2 * MINUTE,
  /** How long failures are retried before the branch is held. */
  retryFor: HOUR,
  /** One attempt at a short activity of a control or sign worker. Each command has its own deadline. */
  shortStartToClose: 5 * MINUTE,
  /** One attempt at `podman build`. */
  buildStartToClose: 6 * HOUR,
  /** One attempt at a builder run. */
  diskBuildStartToClose: 12 * HOUR,
  /** One attempt at a push or publication. */
  transferStartToClose: 6 * HOUR,
  /** A build whose log and output do not grow for this long counts as stalled. */
  stall: 20 * MINUTE,
  /** One command against a registry. */
  command: 4 * MINUTE,
  /** Time between SIGTERM and SIGKILL of a container. */
  stopGrace: 5 * SECOND,
  /** How long a held branch waits for `flightline retry`. */
  holdFor: 7 * DAY,
  /** How long clean-up on a host is tried. The janitor does what remains. */
  cleanUpFor: 30 * SECOND,
} as const;

export type Timing = { [name in keyof typeof DEFAULT_TIMING]: number };

const milliseconds = z.number().int().positive();

/** Timing in the input of workflows and activities. A missing value means the default. */
export const TimingSchema: z.ZodType<Timing> = z.object(
  Object.fromEntries(
    Object.entries(DEFAULT_TIMING).map(([name, value]) => [name, milliseconds.default(value)]),
  ) as unknown as Record<keyof Timing, z.ZodType<number>>,
);

/** `true` for a timing, even without its defaults. */
export function isTiming(value: unknown): value is Partial<Timing> {
  return TimingSchema.safeParse(value).success;
}

/** The values that differ from the defaults. {@link TimingSchema} restores the others. */
export function withoutDefaults(timing: Partial<Timing>): Partial<Timing> {
  return Object.fromEntries(
    Object.entries(timing).filter(([name, value]) => value !== DEFAULT_TIMING[name as keyof Timing]),
  );
}

/** The default timing, with some values replaced. */
export function timingWith(changes: Partial<Timing> = {}): Timing {
  return { ...DEFAULT_TIMING, ...changes };
}

/** How many attempts fit into `timing.retryFor`, with the pauses between them. */
export function attemptsWithin(timing: Timing): number {
  let waited = 0;
  let attempts = 1;
  for (let pause = timing.retryInitial; waited < timing.retryFor; pause = Math.min(pause * 2, timing.retryMaximum)) {
    waited += pause;
    attempts += 1;
  }
  return attempts;
}
