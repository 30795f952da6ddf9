/** The packed file in an empty prefix, used from another directory: no clone is in reach. */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readState } from '../../workers/stack/state.ts';
import { ROOT } from '../support/flightline.ts';
import { personEnvironment } from '../support/person.ts';
import { twoTerminals, type TwoTerminals } from '../support/two-terminals.ts';

const UP_WITHIN = 600_000;

let directory: string;
let prefix: string;
let work: string;
let terminals: TwoTerminals;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-packed-'));
  [prefix, work] = [join(directory, 'prefix'), join(directory, 'work')];
  await mkdir(work);
  const packed = await execa('npm', ['pack', '--json', '--pack-destination', directory], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  await execa('npx', ['publint', '--strict', join(directory, filename)], { cwd: ROOT });
  const npm = (...args: string[]) =>
    execa('npm', [...args, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'], { cwd: work });
  // As deploy/README.md has it: of a file, the first does not heed npm-shrinkwrap.json.
  await npm('install', '--global', '--prefix', prefix, join(directory, filename));
  await npm('ci', '--omit=dev', '--prefix', join(prefix, 'lib/node_modules/flightline'));
  // Nothing of the clone is on PATH: npm puts its programs there.
  const path = [join(prefix, 'bin'), dirname(process.execPath), '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin'];
  const env = { ...personEnvironment(), PATH: path.join(delimiter), npm_config_prefer_offline: 'true' };
  terminals = twoTerminals({ cwd: work, env });
});
afterAll(async () => {
  await terminals?.close();
  await rm(directory, { recursive: true, force: true });
});

interface Listed {
  version?: string;
  dependencies?: Record<string, Listed>;
}

/** `name@version` of all that is installed, as npm lists it. */
function versionsIn({ dependencies = {} }: Listed): string[] {
  return Object.entries(dependencies).flatMap(([name, one]) => [
    ...(one.version === undefined ? [] : [`${name}@${one.version}`]),
    ...versionsIn(one),
  ]);
}

it('has the versions of the lock file', async () => {
  const { stdout } = await execa('npm', ['ls', '--global', '--prefix', prefix, '--all', '--json'], { cwd: work });
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string }>;
  };
  const locked = Object.entries(packages).map(
    ([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`,
  );
  const [own, ...installed] = versionsIn(JSON.parse(stdout) as Listed);
  expect(own).toMatch(/^flightline@/);
  expect(new Set(installed).size).toBeGreaterThan(50);
  expect(installed.filter((one) => !locked.includes(one))).toEqual([]);
});

it('brings manual pages', async () => {
  expect(await readdir(join(prefix, 'share/man/man1'))).toContain('flightline-run.1');
});

it('starts a stack', async () => {
  const { first, typed } = terminals;
  await first.shows('$ ');
  await first.type('flightline up --data stack\n');
  await first.shows('The stack is up', { within: UP_WITHIN });
  await typed('. stack/environment');
  expect(await typed('echo $FLIGHTLINE_REGISTRY')).toMatch(/127\.0\.0\.1:\d+/);
});

it('starts a project, releases it, and fetches its disk', async () => {
  const { typed } = terminals;
  await typed(
    'flightline init edge --target openshift-virtualization --base debian-example --binding late ' +
      '--no-podman-compose --repository $FLIGHTLINE_REGISTRY/packed/edge',
  );
  expect(await typed('flightline run edge')).toContain('released');
  await typed('flightline fetch $FLIGHTLINE_REGISTRY/packed/edge:v1 --type qcow2 --output edge');
  expect(await readdir(join(work, 'edge'))).toContain('disk.qcow2');
});

it('completes in bash', async () => {
  const { second, typed } = terminals;
  await typed('. <(flightline completion bash)');
  await second.type('flightline sched\t');
  await second.shows('flightline schedule ');
  await second.type('l\t');
  await second.shows('flightline schedule list ');
  expect(await second.typeToPrompt('\n'), second.shown.slice(-2_000)).toBe(0);
});

it('stops everything at Ctrl-C', async () => {
  await terminals.first.typeToPrompt('\u0003');
  expect(readState(join(work, 'stack'))?.children).toEqual([]);
});
