/** Activities of a host that are no stages: claim, probe, clean-up, a page of a log. */
import { z } from 'zod';
import { Digest, Repository } from '../oci/reference.ts';
import { ARCHITECTURES, HostName } from '../base/host.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity } from '../release/identity.ts';
import { attempts, on } from './activity.ts';

export const ClaimInput = ReleaseIdentity.extend({
  /** `image`, or the subject of a builder run (`qcow2+vmdk`). One lease per release and branch. */
  branch: z.string(),
  /** Which limit of the host the slot counts against. */
  slot: z.enum(['build', 'disk']),
  /** What is built for. */
  architecture: z.enum(ARCHITECTURES),
  /** When the branch first asked, ISO 8601: the oldest request is granted first. */
  requestedAt: z.string(),
  /** Bytes the branch is expected to need in the host's work directory and storage. */
  space: z.number().int().nonnegative(),
  /** Hosts that failed this branch, or are lost. */
  exclude: z.array(z.string()),
  timing: TimingSchema,
});
export type ClaimInput = z.infer<typeof ClaimInput>;

export const ClaimResult = z.object({
  attempts,
  host: HostName,
  /** How many pushes and publications this host does at a time (`limits.transfer`). */
  transfers: z.number().int().positive(),
});
export type ClaimResult = z.infer<typeof ClaimResult>;

export const ProbeResult = z.object({
  host: HostName,
  /** When the worker process started, ISO 8601. */
  since: z.string(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

export const CleanUpInput = ReleaseIdentity.extend({ timing: TimingSchema });
export type CleanUpInput = z.infer<typeof CleanUpInput>;

export const CleanUpResult = z.object({
  /** What was removed, in words: `container flightline-0123456789ab`, `work directory`, `lease image`. */
  removed: z.array(z.string()),
});
export type CleanUpResult = z.infer<typeof CleanUpResult>;

export const LogPageInput = z.object({
  /** Path below the host's log directory, absolute or relative to it. */
  path: z.string(),
  /** Bytes from the start. */
  offset: z.number().int().nonnegative(),
  /** Milliseconds to wait for the file and for more text; without it, a missing file is a failure. */
  wait: z.number().int().positive().max(60_000).optional(),
});
export type LogPageInput = z.infer<typeof LogPageInput>;

export const LogPageResult = z.object({
  /** At most 8,000 bytes, redacted. */
  text: z.string(),
  nextOffset: z.number().int().nonnegative(),
  /** This page is the last one for now. */
  end: z.boolean(),
  /** The file was shorter than the offset, since another attempt began it anew. This is its first page. */
  restarted: z.boolean().optional(),
});
export type LogPageResult = z.infer<typeof LogPageResult>;

/** Input of the `keepLogs` activity. */
export const KeepLogsInput = ReleaseIdentity.extend({
  /** Where the artifact goes. */
  repository: Repository,
  /** The logs of this host that the record names: absolute paths. */
  paths: z.array(z.string()).min(1),
  timing: TimingSchema,
});
export type KeepLogsInput = z.infer<typeof KeepLogsInput>;

export const KeepLogsResult = z.object({
  attempts,
  host: HostName,
  /** Digest of the artifact's manifest; null when none of the logs exists any more. */
  digest: Digest.nullable(),
});
export type KeepLogsResult = z.infer<typeof KeepLogsResult>;

export const HOST_ACTIVITIES = {
  /**
   * Grants a lease, or fails with `no-slot` (retryable, the reason in words) or `disk-full`. Idempotent per release and
   * branch.
   */
  claim: on(['claim', 'short'], 'host/claim', ClaimInput, ClaimResult),
  /** Answers at once, so that the workflow knows that the host is alive. */
  probe: on('short', 'host/probe', z.undefined(), ProbeResult),
  /** Stops and removes all that the release made on this host: containers, image names, work directory, leases. */
  cleanUp: on('short', 'sweep/clean-up', CleanUpInput, CleanUpResult),
  /** Sends this host's logs of a release to the registry, compressed and redacted, unless it has them. */
  keepLogs: on('short', 'host/logs/keep-logs', KeepLogsInput, KeepLogsResult),
  /** A page of a log. Refuses a path outside the log directory. */
  logPage: on('short', 'host/logs/log-page', LogPageInput, LogPageResult),
};
