/**
 * An exclusive lock on a directory. Each contender creates a file whose name is its identity, and holds the lock when
 * it then sees no other living contender. Nobody removes or replaces a name that another process could be using, so
 * taking over from a dead holder has no race: of two contenders at least one sees the other.
 *
 * A holder in another container or machine is seen by its file alone, which it touches again and again: contenders
 * watch it. The clocks of both are not compared.
 *
 * Why not a library: the maintained ones (proper-lockfile, lockfile) judge a holder by the age of a file, so a
 * suspended machine or a blocked event loop loses a held lock, and a killed holder keeps it for a while. flock(2) has
 * no binding that works without a compiler.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { FlightlineError } from '../../model/failure/failure.ts';
import {
  isAlive,
  isOutOfSight,
  lockFileName,
  ownIdentity,
  parseLockFileName,
  type ProcessIdentity,
} from '../../activities/tools/process/process-identity.ts';

/** A held lock. */
interface DirectoryLock {
  /** Releases the lock. The next contender removes the file of a process that ended without releasing. */
  release(): Promise<void>;
}

/** How often contenders try again that met at the same moment. A real holder stays. */
const TRIES = 5;
/** Longest pause between attempts (ms). */
const PAUSE = 40;
/** How often a holder touches its file (ms). */
const BEAT = 2_000;
/** A file out of sight that is not touched for so long (ms) is of a process that ended. */
const SILENCE = 10_000;

/**
 * Locks a directory, and creates it (0700) if needed.
 *
 * @throws FlightlineError `host-setup` when another process holds it, with that process's pid.
 */
export async function lockDirectory(
  directory: string,
  options: { name?: string; remedy?: string; silence?: number } = {},
): Promise<DirectoryLock> {
  const { name = 'lock', silence = SILENCE } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const own = join(directory, lockFileName(name, ownIdentity(), randomBytes(6).toString('hex')));
  for (let attempt = 1; ; attempt += 1) {
    const file = await open(own, 'wx', 0o600);
    await file.close();
    const holder = await otherHolder(directory, name, own);
    if (!holder) return held(own);
    await rm(own, { force: true });
    if (isOutOfSight(holder.identity)) {
      if (await hasEnded(holder.path, silence)) {
        await rm(holder.path, { force: true });
        continue;
      }
      throw new FlightlineError('host-setup', `${directory} is in use by another container or machine`, {
        remedy: options.remedy ?? 'end what uses it there first, or use another directory',
      });
    }
    if (attempt === TRIES) {
      throw new FlightlineError('host-setup', `${directory} is in use by process ${holder.identity.pid}`, {
        remedy: options.remedy ?? `end process ${holder.identity.pid} first, or use another directory`,
      });
    }
    await pause(Math.ceil(Math.random() * PAUSE));
  }
}

function held(own: string): DirectoryLock {
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(own, now, now).catch(() => undefined);
  }, BEAT);
  beat.unref();
  return {
    release: async () => {
      clearInterval(beat);
      await rm(own, { force: true });
    },
  };
}

/** `true` when the file is gone, or stays untouched. A contender's goes within a moment. */
async function hasEnded(path: string, silence: number): Promise<boolean> {
  const touched = () =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => null,
    );
  const before = await touched();
  for (let waited = 0; waited < silence; waited += silence / 20) {
    const now = await touched();
    if (now === null) return true;
    if (now !== before) return false;
    await pause(silence / 20);
  }
  return true;
}

async function otherHolder(
  directory: string,
  name: string,
  own: string,
): Promise<{ identity: ProcessIdentity; path: string } | undefined> {
  let alive: { identity: ProcessIdentity; path: string } | undefined;
  for (const file of await readdir(directory)) {
    const path = join(directory, file);
    const identity = parseLockFileName(name, file);
    if (!identity || path === own) continue;
    if (isOutOfSight(identity) || isAlive(identity)) alive = { identity, path };
    else await rm(path, { force: true });
  }
  return alive;
}
