/** The README's quickstart, typed on two terminals in a clean clone: it ends at the login of a machine that boots. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readState } from '../../workers/stack/state.ts';
import { ROOT } from '../support/flightline.ts';
import { personEnvironment } from '../support/person.ts';
import { twoTerminals, type TwoTerminals } from '../support/two-terminals.ts';
import { blocksOf, sectionOf } from '../support/readme.ts';

/** Packages, a build of flightline and the images of the example, on a slow machine (ms). */
const UP_WITHIN = 900_000;
/** Without KVM (ms). */
const LOGIN_WITHIN = 600_000;

const section = sectionOf(await readFile(join(ROOT, 'README.md'), 'utf8'), '## Your own project');
const blocks = blocksOf(section).filter(({ language }) => language === 'sh');
const [up, boot] = (['background', 'console'] as const).map((mark) => blocks.find((block) => block.mark === mark));
/** Each command, with the lines that it goes on in. */
const commands = blocks
  .filter(({ mark }) => mark === null)
  .flatMap(({ text }) => text.trim().split(/(?<!\\)\n/))
  .map((command) => [command.replaceAll(/\\\n\s*/g, '')]);

let directory: string;
let clone: string;
let terminals: TwoTerminals;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-quickstart-'));
  clone = join(directory, 'flightline');
  await execa('git', ['clone', '--quiet', ROOT, clone]);
  // What npm has fetched before serves where there is no network.
  const env = { ...personEnvironment(), npm_config_prefer_offline: 'true' };
  terminals = twoTerminals({ cwd: clone, env });
});
afterAll(async () => {
  await terminals?.close();
  await rm(directory, { recursive: true, force: true });
});

it('starts the stack in a clone that holds nothing else', async () => {
  expect(await readdir(clone)).not.toContain('node_modules');
  const { first } = terminals;
  await first.shows('$ ');
  await first.type(up!.text);
  await first.shows('The stack is up', { within: UP_WITHIN });
});

it.each(commands)('%s', async (command) => {
  await expect(terminals.typed(command!)).resolves.toBeDefined();
});

it('has verified what it fetched', async () => {
  expect(await readdir(join(clone, 'hello'))).toContain('disk.qcow2');
  expect(terminals.second.shown).toMatch(/verified as a device would: .*yes/);
});

it('boots to a login prompt, and Ctrl-] ends it', async () => {
  const { second } = terminals;
  await second.type(boot!.text);
  await second.shows(/\S+ login: /, { within: LOGIN_WITHIN });
  expect(await second.typeToPrompt('\u001D', 60_000), second.shown.slice(-4_000)).toBe(0);
});

it('stops everything at Ctrl-C', async () => {
  await terminals.first.typeToPrompt('\u0003');
  expect(readState(join(clone, '.flightline/stack'))?.children).toEqual([]);
});
