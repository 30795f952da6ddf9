/** The state of a container. */
import { z } from 'zod';
import { parseOutput } from '../podman.ts';

/** A container from the output of `podman container inspect`. @throws FlightlineError for other output */
export function containerState(stdout: string): ContainerState {
  const container = parseOutput('podman container inspect', Inspected, stdout)[0]!;
  return {
    id: container.Id,
    name: container.Name,
    labels: container.Config.Labels ?? {},
    entrypoint: container.Config.Entrypoint ?? [],
    removesItself: container.HostConfig?.AutoRemove ?? false,
    status: container.State.Status,
    exitCode: container.State.ExitCode,
    ended: endWasNoted(container.State.FinishedAt),
    pid: container.State.Pid,
    conmonPid: container.State.ConmonPid,
  };
}

/** A container as podman tells it. */
export interface ContainerState {
  id: string;
  name: string;
  labels: Record<string, string>;
  entrypoint: readonly string[];
  /** It was started with `--rm`. */
  removesItself: boolean;
  /** podman's word: `created`, `running`, `paused`, `stopping`, `exited`, … */
  status: string;
  exitCode: number;
  /** conmon noted its end, so the exit code is its own. After a reboot podman says `exited` and 0 for running ones. */
  ended: boolean;
  /** 0 when it does not run. */
  pid: number;
  /** The process that holds the container's output and writes down its exit code; 0 when it does not run. */
  conmonPid: number;
}

const Inspected = z
  .array(
    z.object({
      Id: z.string(),
      Name: z.string(),
      Config: z.object({
        Labels: z.record(z.string(), z.string()).nullish(),
        Entrypoint: z.array(z.string()).nullish(),
      }),
      HostConfig: z.object({ AutoRemove: z.boolean().optional() }).optional(),
      State: z.object({
        Status: z.string(),
        ExitCode: z.number(),
        FinishedAt: z.string(),
        Pid: z.number().default(0),
        ConmonPid: z.number().default(0),
      }),
    }),
  )
  .min(1);

/**
 * `true` when conmon noted a container's end. Only then it has a time; Go's zero time (year 1) is none. Pure.
 */
function endWasNoted(finishedAt: string): boolean {
  return Date.parse(finishedAt) > 0;
}
