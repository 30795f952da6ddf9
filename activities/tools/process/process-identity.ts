/** The identity of a process: its pid with its start time, since pids are reused. */
import { readFileSync, readlinkSync } from 'node:fs';
import { startTicks } from './proc.ts';

/** Distinguishes a process from a later one with the same pid, even across reboots. */
export interface ProcessIdentity {
  pid: number;
  /**
   * `<clock ticks since boot>-<boot id>-<PID namespace>`: field 22 of /proc/PID/stat, /proc/sys/kernel/random/boot_id
   * and /proc/self/ns/pid (proc(5)).
   */
  started: string;
}

/** The identity of a running process; `undefined` when no process has this pid, or it is a zombie. */
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

/** The name of a program, for messages; `undefined` when it has ended. */
export function programOf(pid: number): string | undefined {
  return readProc(`/proc/${pid}/comm`)?.trim();
}

/** `true` for a process of another container or machine, which we cannot see. */
export function isOutOfSight({ started }: ProcessIdentity): boolean {
  return started.slice(started.indexOf('-') + 1) !== place();
}

let known: string | undefined;
/** The boot and the PID namespace in which a pid has a meaning. */
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

/** `lock.<pid>.<start>.<random>`: the name has everything, so that no half-written content can be read. */
export function lockFileName(name: string, identity: ProcessIdentity, random: string): string {
  return `${name}.${identity.pid}.${identity.started}.${random}`;
}

/** The contender that a file name identifies; `undefined` for other files. */
export function parseLockFileName(name: string, file: string): ProcessIdentity | undefined {
  if (!file.startsWith(`${name}.`)) return undefined;
  const [pid, started, random, ...rest] = file.slice(name.length + 1).split('.');
  if (!/^[1-9]\d*$/.test(pid ?? '') || !started || !random || rest.length > 0) return undefined;
  return { pid: Number(pid), started };
}
