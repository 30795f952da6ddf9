/** What the README tells a newcomer to type is typed here, in its order, in a work tree of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ReleaseRecord } from '../../model/release/record.ts';
import { readState } from '../../workers/stack/state.ts';
import { ROOT } from '../support/flightline.ts';
import { personEnvironment } from '../support/person.ts';
import { blocksOf } from '../support/readme.ts';

/** Set-up, the demo and the tests themselves are run by those who install, and by `npm test`. */
const NOT_HERE = /^\s*npm (?:run demo|run setup|ci|install|test)\b/m;

/** What `flightline up` says when it is ready. */
const READY = 'The stack is up';
const READY_WITHIN = 180_000;
const STOPPED_WITHIN = 120_000;

const blocks = blocksOf(await readFile(join(ROOT, 'README.md'), 'utf8')).filter(
  ({ language, text }) => language === 'sh' && !NOT_HERE.test(text),
);
const background = blocks.filter(({ mark }) => mark === 'background');
const commands = blocks.filter(({ mark }) => mark === null).map(({ line, text }) => ({ line, text }));

const environment = personEnvironment();

let directory: string;
let up: ChildProcess;
let told = '';

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-readme-'));
  for (const name of await readdir(ROOT)) {
    if (!['.flightline', '.git'].includes(name)) await symlink(join(ROOT, name), join(directory, name));
  }
});

afterAll(async () => {
  await stop('SIGTERM');
  await rm(directory, { recursive: true, force: true });
});

/** Signals the whole process group, as a terminal does, and waits for its end. */
async function stop(signal: NodeJS.Signals): Promise<void> {
  if (!up || up.exitCode !== null || up.signalCode !== null) return;
  // Not only the shell must have ended, but everything that holds its output.
  const closed = once(up, 'close');
  process.kill(-up.pid!, signal);
  await Promise.race([closed, pause(STOPPED_WITHIN, undefined, { ref: false })]);
}

it('has one block that runs in the background, and commands beside it', () => {
  expect(background).toHaveLength(1);
  expect(commands.length).toBeGreaterThan(0);
});

it('starts the stack', async () => {
  up = spawn('sh', ['-c', background[0]!.text], {
    cwd: directory,
    env: environment,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [up.stdout!, up.stderr!]) stream.on('data', (bytes: Buffer) => (told += bytes.toString()));
  const deadline = Date.now() + READY_WITHIN;
  while (!told.includes(READY)) {
    expect(up.exitCode, told).toBeNull();
    expect(Date.now(), told).toBeLessThan(deadline);
    await pause(200);
  }
});

/** Runs commands as one terminal does: what an earlier call exported is there. */
async function type(text: string) {
  const carried = join(directory, 'variables');
  // -e: every command must end with 0; -x: the last line that begins with + is the one that did not.
  const script = `[ ! -f ${carried} ] || . ${carried}\nset -ex\n${text}\nexport -p > ${carried}\n`;
  return execa('sh', ['-c', script], {
    cwd: directory,
    env: environment,
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    reject: false,
    timeout: 240_000,
  });
}

it.each(commands)('runs line $line', async ({ text }) => {
  const { exitCode, all } = await type(text);
  expect(exitCode, all).toBe(0);
});

it('has made what it promised', async () => {
  const { stdout } = await type('npm run -s flightline -- status "$FLIGHTLINE_REGISTRY/hello:v1" --json');
  const record = ReleaseRecord.parse(JSON.parse(stdout));
  expect(record).toMatchObject({ status: 'released', image: { verified: true }, disks: [{ verified: true }] });
});

it('stops everything at Ctrl-C', async () => {
  const before = told.length;
  await stop('SIGINT');
  // npm calls itself interrupted whatever the command's own exit code is: what was said and what is left tell more.
  expect(told.slice(before)).toContain('stopping the Temporal dev server');
  expect(told.slice(before)).not.toMatch(/error|warning/);
  expect(readState(join(directory, '.flightline/stack'))?.children).toEqual([]);
});
