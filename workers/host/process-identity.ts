/** The identity of a process. Pids are reused, so a pid is kept together with the start time of its process. */
import { readFileSync } from 'node:fs';

/** Distinguishes a process from a later one with the same pid, even across reboots. */
export interface ProcessIdentity {
  pid: number;
  /** `<clock ticks since boot>-<boot id>`: field 22 of /proc/PID/stat and /proc/sys/kernel/random/boot_id (proc(5)). */
  started: string;
}

/** The identity of a running process; `undefined` when there is none with this pid, or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  const ticks = stat === undefined ? undefined : startTicks(stat);
  if (ticks === undefined) return undefined;
  return { pid, started: `${ticks}-${bootId()}` };
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const own = identityOf(process.pid);
  if (!own) throw new Error('/proc is not mounted: flightline workers need Linux');
  return own;
}

/** `true` while this very process is running. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started;
}

/**
 * Start time in clock ticks from the text of /proc/PID/stat; `undefined` for a zombie (state Z or X), which holds no
 * resources.
 */
export function startTicks(stat: string): string | undefined {
  // The second field is the program's name in parentheses, which may contain spaces and parentheses.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const state = fields[0];
  if (state === undefined || state === 'Z' || state === 'X') return undefined;
  return fields[19];
}

/** The name of a program, for messages; `undefined` when it has ended. */
export function programOf(pid: number): string | undefined {
  return readProc(`/proc/${pid}/comm`)?.trim();
}

let boot: string | undefined;
function bootId(): string {
  boot ??= (readProc('/proc/sys/kernel/random/boot_id') ?? '').trim().replaceAll('-', '');
  return boot;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
