import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { lockDirectory } from '../../../../workers/host/lock.ts';
import {
  lockFileName,
  parseLockFileName,
  identityOf,
  isAlive,
  isOutOfSight,
  ownIdentity,
  programOf,
} from '../../../../activities/tools/process/process-identity.ts';
import { startTicks } from '../../../../activities/tools/process/proc.ts';

describe('process identity', () => {
  const rest = '1 2 2 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0';
  test.each([
    [`7 (node) S ${rest}`, '12345'],
    [`7 (a name) with (parentheses) R) S ${rest}`, '12345'],
    [`7 (gone) Z ${rest}`, undefined],
    [`7 (dead) X ${rest}`, undefined],
    ['', undefined],
  ])('start time in %j', (stat, ticks) => {
    expect(startTicks(stat)).toBe(ticks);
  });

  it('tells this process from another of its pid', () => {
    const own = ownIdentity();
    expect(isAlive(own)).toBe(true);
    expect(isAlive({ ...own, started: own.started.replace(/^\d+/, '1') })).toBe(false);
    expect(programOf(own.pid)).toBeTruthy();
  });

  it('sees that a process has ended', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid!)!;
    expect(isAlive(identity)).toBe(true);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(isAlive(identity)).toBe(false);
  });
});

describe('names of lock files', () => {
  it('are read back', () => {
    const identity = { pid: 12, started: '345-abc' };
    expect(parseLockFileName('lock', lockFileName('lock', identity, 'ff'))).toEqual(identity);
  });

  test.each(['lock', 'lock.', 'lock.x.1-a.ff', 'lock.12.1-a', 'lock.12.1-a.ff.new', 'other.12.1-a.ff', 'stack.json'])(
    '%s is none',
    (file) => {
      expect(parseLockFileName('lock', file)).toBeUndefined();
    },
  );
});

describe('the lock on a directory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flightline-lock-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('refuses a second holder with the first one’s pid, until it is given back', async () => {
    const first = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(`${directory} is in use by process ${process.pid}`);
    await first.release();
    const second = await lockDirectory(directory);
    await second.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('makes the directory', async () => {
    const lock = await lockDirectory(join(directory, 'a', 'b'));
    expect(await readdir(join(directory, 'a', 'b'))).toHaveLength(1);
    await lock.release();
  });

  it('is taken over from a process that ended, and from one whose pid is used again', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identityOf(child.pid!)!;
    const held = lockFileName('lock', identity, 'aa');
    await writeFile(join(directory, held), '');
    await expect(lockDirectory(directory)).rejects.toThrow(`process ${identity.pid}`);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await writeFile(
      join(
        directory,
        lockFileName('lock', { pid: process.pid, started: ownIdentity().started.replace(/^\d+/, '1') }, 'bb'),
      ),
      '',
    );
    const lock = await lockDirectory(directory);
    expect(await readdir(directory)).toHaveLength(1);
    await lock.release();
  });

  it('is refused while a holder in another container touches its file, and taken over when it is silent', async () => {
    const theirs = { pid: 1, started: ownIdentity().started.replace(/\d+$/, '1') };
    expect(isOutOfSight(theirs)).toBe(true);
    const file = join(directory, lockFileName('lock', theirs, 'cc'));
    await writeFile(file, '');
    let beats = 0;
    const beat = setInterval(() => void utimes(file, (beats += 1), beats), 20);
    await expect(lockDirectory(directory, { silence: 2_000 })).rejects.toThrow('another container or machine');
    clearInterval(beat);
    expect(await readdir(directory)).toHaveLength(1);
    const lock = await lockDirectory(directory, { silence: 400 });
    expect(await readdir(directory)).toHaveLength(1);
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('leaves other files alone, and other locks in the same directory', async () => {
    await writeFile(join(directory, 'lock.json'), '{}');
    const stack = await lockDirectory(directory, { name: 'stack.lock' });
    const worker = await lockDirectory(directory, { name: 'worker.lock' });
    await stack.release();
    await worker.release();
    expect(await readdir(directory)).toEqual(['lock.json']);
  });

  it('has one holder at most, however many want it at once', async () => {
    let holders = 0;
    let most = 0;
    let granted = 0;
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const lock = await lockDirectory(directory).catch(() => undefined);
        if (!lock) return;
        granted += 1;
        most = Math.max(most, (holders += 1));
        await new Promise((resolve) => setTimeout(resolve, 15));
        holders -= 1;
        await lock.release();
      }),
    );
    expect(most).toBeLessThanOrEqual(1);
    // All may have met each other each time; then the next one who comes alone gets it.
    if (granted === 0) await (await lockDirectory(directory)).release();
  });
});
