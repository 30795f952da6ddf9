/** The ports of an embedded stack: chosen once at random from the free ones, then kept. */
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { FlightlineError } from '../../model/failure/failure.ts';
import { programOf } from '../../activities/tools/process/process-identity.ts';
import { listeningInodes } from '../../activities/tools/process/proc.ts';

/** The only address that an embedded stack listens on. */
export const LOOPBACK = '127.0.0.1';

/** Below Linux's range for outgoing connections (from 32768), so that none of those takes a kept port. */
const LOWEST = 20_000;
const HIGHEST = 32_000;
const TRIES = 200;

/** `true` when a program could listen on the port. */
async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Chooses free ports, all different. */
export async function chooseFreePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt += 1) {
    if (attempt === TRIES) {
      throw new FlightlineError('host-setup', `no free port was found between ${LOWEST} and ${HIGHEST}`);
    }
    const port = randomInt(LOWEST, HIGHEST);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

/**
 * Checks that a kept port can be used.
 *
 * @throws FlightlineError `host-setup` when another program holds it, with its pid where it can be found out.
 */
export async function assertPortFree(what: string, port: number, stateFile: string): Promise<void> {
  // The kernel may need a moment after the last holder has ended.
  for (let attempt = 0; attempt < 10; attempt += 1) {
    if (await isFree(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const holder = portHolder(port);
  const name = holder === undefined ? undefined : programOf(holder);
  const who = holder === undefined ? 'another program' : `process ${holder}${name ? ` (${name})` : ''}`;
  throw new FlightlineError('host-setup', `port ${port} of the ${what} is held by ${who}`, {
    remedy:
      `end that program; or remove ${stateFile} to choose new ports (names of releases in the stack's own ` +
      'registry contain its port)',
  });
}

/** The process that listens on a TCP port of this machine; `undefined` when it cannot be found. */
function portHolder(port: number): number | undefined {
  const inodes = new Set(
    ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => listeningInodes(readText(file), port)).map(String),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of readNames('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of readNames(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/${pid}/fd/${descriptor}`))?.[1];
      if (inode && inodes.has(inode)) return Number(pid);
    }
  }
  return undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
