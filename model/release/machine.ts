/** The machines that have workers, as they are known before any is asked. Pure. */
import type { ListedHost } from '../contract/host-status.ts';
import { ROLES } from '../contract/queue.ts';

/** A worker as the server knows it. */
export interface KnownWorker {
  role: ListedHost['roles'][number];
  host: string;
  /** ISO 8601; null when the server does not tell. */
  lastSeen: string | null;
}

/** What is known of a machine before it is asked. */
export type Machine = Pick<ListedHost, 'host' | 'roles' | 'lastSeen'>;

/** The machines of some workers, and the build hosts that releases are on although nobody there asks for work. Pure. */
export function machinesOf(workers: readonly KnownWorker[], needed: readonly string[]): Machine[] {
  const names = [...new Set([...workers.map(({ host }) => host), ...needed])].toSorted();
  return names.map((host) => {
    const own = workers.filter((worker) => worker.host === host);
    const roles = ROLES.filter(
      (role) => own.some((worker) => worker.role === role) || (role === 'build' && needed.includes(host)),
    );
    const seen = own.flatMap(({ lastSeen }) => lastSeen ?? []).toSorted();
    return { host, roles, lastSeen: seen.at(-1) ?? null };
  });
}
