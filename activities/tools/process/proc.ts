/** Reads texts of /proc (proc(5)). Pure. */

/** The capability's bit, from linux/capability.h. */
const CAP_SYS_RESOURCE = 24n;

/** `true` when the text of /proc/self/status has CAP_SYS_RESOURCE among the effective capabilities. */
export function hasSysResource(status: string): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

/** The hard limits in the text of /proc/self/limits; `Infinity` for unlimited. */
export function hardLimits(limits: string): { nofile: number; nproc: number } {
  const hard = (name: string) => {
    const value = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1];
    return value === undefined || value === 'unlimited' ? Infinity : Number(value);
  };
  return { nofile: hard('Max open files'), nproc: hard('Max processes') };
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

/**
 * Inodes of the sockets that listen on a port, from the text of /proc/net/tcp or tcp6 (proc(5); state 0A is LISTEN).
 */
export function listeningInodes(table: string, port: number): number[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(`:${wanted}`) && fields[3] === '0A')
    .map((fields) => Number(fields[9]));
}
