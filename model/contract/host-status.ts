/** What a build host reports about itself, and how `flightline hosts` asks for it. */
import { z } from 'zod';
import { on } from './activity.ts';
import { ROLES } from './queue.ts';
import { ARCHITECTURES, HostName } from '../base/host.ts';

/** Most entries of a list, so that the answer fits into a payload of 10 kB. */
export const MAX_LISTED = 8;

export const HostStatusInput = z.object({
  /** Milliseconds for the answer, which leaves out what takes longer. */
  within: z.number().int().positive(),
});
export type HostStatusInput = z.infer<typeof HostStatusInput>;

/** Input of the `hostStatus` workflow. */
export const HostStatusWorkflowInput = HostStatusInput.extend({ host: HostName });
export type HostStatusWorkflowInput = z.infer<typeof HostStatusWorkflowInput>;

const Slots = z.object({ used: z.number().int().nonnegative(), limit: z.number().int().positive() });

export const HostStatus = z.object({
  host: HostName,
  /** The machine's own. */
  architecture: z.enum(ARCHITECTURES),
  /** What it builds for. */
  architectures: z.array(z.enum(ARCHITECTURES)),
  /** Of the package. */
  version: z.string(),
  /** When the worker process started, ISO 8601. */
  startedAt: z.string(),
  /** Since when it takes no claims (`flightline drain`), and why; null while it takes them. */
  draining: z.object({ since: z.string(), comment: z.string().nullable() }).nullable().default(null),
  /** `build` and `disk` count leases, `transfer` what runs. */
  slots: z.object({ build: Slots, disk: Slots, transfer: Slots }),
  /** Bytes, of the fullest file system that a build writes to. */
  disk: z.object({ free: z.number().int().nonnegative(), total: z.number().int().nonnegative() }),
  /** What holds a slot or space here. `slot` is null when only its files are left. At most {@link MAX_LISTED}. */
  leases: z.array(z.object({ release: z.string(), branch: z.string(), slot: z.enum(['build', 'disk']).nullable() })),
  /** Claims that wait here for a slot. At most {@link MAX_LISTED}. */
  waiting: z.array(z.object({ release: z.string(), branch: z.string(), slot: z.enum(['build', 'disk']) })),
  /** The stages that run, with the workflow each belongs to. At most {@link MAX_LISTED}. */
  running: z.array(z.object({ stage: z.string(), workflow: z.string(), since: z.string() })),
  /** Names of flightline's containers here; null when podman did not answer in time. At most {@link MAX_LISTED}. */
  containers: z.array(z.string()).nullable(),
});
export type HostStatus = z.infer<typeof HostStatus>;

/** A machine with workers, as `flightline hosts --json` prints it (schemas/hosts.schema.json). */
export const ListedHost = z.object({
  host: z.string(),
  roles: z.array(z.enum(['control', 'build', 'sign'])),
  /**
   * `answers`; for a machine without a build worker `polls`; `silent` for a build host that did not answer, and for
   * another machine that no longer asks for work.
   */
  state: z.enum(['answers', 'silent', 'polls']),
  /** When one of its workers was last heard of, ISO 8601; null when that was minutes ago. */
  lastSeen: z.string().nullable(),
  /** Versions of its workers, each once; none when they were last heard of minutes ago. */
  versions: z.array(z.string()),
  /** Its own report; null when it did not answer, and for machines without a build worker. */
  status: HostStatus.omit({ host: true }).nullable(),
});
export type ListedHost = z.infer<typeof ListedHost>;

/** The document of `flightline hosts --json`. */
export const HostList = z.object({ hosts: z.array(ListedHost) });

/** A worker as the server knows it. */
export interface KnownWorker {
  role: ListedHost['roles'][number];
  host: string;
  version: string;
  /** ISO 8601; null when the server does not tell. */
  lastSeen: string | null;
}

/** What is known of a machine before it is asked. */
export type Machine = Pick<ListedHost, 'host' | 'roles' | 'lastSeen' | 'versions'>;

/** The machines of these workers, and build hosts that have releases but no worker that polls. Pure. */
export function machinesOf(workers: readonly KnownWorker[], needed: readonly string[]): Machine[] {
  const names = [...new Set([...workers.map(({ host }) => host), ...needed])].toSorted();
  return names.map((host) => {
    const own = workers.filter((worker) => worker.host === host);
    const roles = ROLES.filter(
      (role) => own.some((worker) => worker.role === role) || (role === 'build' && needed.includes(host)),
    );
    const seen = own.flatMap(({ lastSeen }) => lastSeen ?? []).toSorted();
    const versions = [...new Set(own.map(({ version }) => version))].toSorted();
    return { host, roles, lastSeen: seen.at(-1) ?? null, versions };
  });
}

export const HOST_STATUS_ACTIVITIES = {
  /** What this host has and does now. */
  hostStatus: on('short', 'host/status', HostStatusInput, HostStatus),
};
