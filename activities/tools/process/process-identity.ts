/** The identity of a process. Pids are reused, so a pid is kept together with the start time of its process. */
import { readFileSync, readlinkSync } from 'node:fs';

/** Distinguishes a process from a later one with the same pid, even across reboots. */
export interface ProcessIdentity {
  pid: number;
  /**
   * `<clock ticks since boot>-<boot id>-<PID namespace>`: field 22 of /proc/PID/stat, /proc/sys/kernel/random/boot_id
   * and /proc/self/ns/pid (proc(5)).
   */
  started: string;
}

/** The identity of a running process; `undefined` when there is none with this pid, or it is a zombie. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  const ticks = stat === undefined ? undefined : startTicks(stat);
  if (ticks === undefined) return undefined;
  return { pid, started: `${ticks}-${place()}` };
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

/** `true` for a process of another container or machine: nobody here can see whether it runs. */
export function isOutOfSight({ started }: ProcessIdentity): boolean {
  return started.slice(started.indexOf('-') + 1) !== place();
}

let known: string | undefined;
/** The boot and the PID namespace, of which a pid is a number. */
function place(): string {
  if (known === undefined) {
    const boot = (readProc('/proc/sys/kernel/random/boot_id') ?? '').trim().replaceAll('-', '');
    known = `${boot}-${/\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? ''}`;
  }
  return known;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
