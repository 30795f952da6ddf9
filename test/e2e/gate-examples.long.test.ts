/**
 * Gates of examples/gate, by their own Containerfiles and with the programs that they are for: each is content with
 * an image, and refuses the same image when it is asked for more. Grype's database is a stand-in, with one entry.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { recordFrom, ROOT, runFlightline } from '../support/flightline.ts';
import { grypePrograms, offerDatabase, type GrypeDatabase } from '../support/grype/grype.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { syftProgram } from '../support/syft.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const { environment, registry } = sharedStack();
const EXAMPLES = join(ROOT, 'examples/gate');
const PLANTED = { id: 'CVE-2026-99999', severity: 'high', name: 'bash', fixed: '99:1' };
const local = (name: string) => `localhost/flightline-test/${name}:1`;

let project: Project;
let offered: GrypeDatabase;
let scratch: string;
let undo: () => Promise<void>;

beforeAll(async () => {
  undo = await usePrivateContainersConf();
  scratch = await mkdtemp(join(tmpdir(), 'flightline-gates-'));
  const { grype, writer } = await grypePrograms();
  offered = await offerDatabase(writer, PLANTED);
  // As the makers of both publish them: the program at the top of an image that has nothing else.
  for (const [name, program] of [
    ['grype', grype],
    ['syft', await syftProgram()],
  ] as const) {
    await execa('cp', [program, join(scratch, name)]);
    await writeFile(join(scratch, 'Containerfile'), `FROM scratch\nCOPY ${name} /${name}\nWORKDIR /tmp\n`);
    await execa('podman', ['build', '--quiet', '--tag', local(name), scratch]);
  }
  const base = `BASE=${EXAMPLE_IMAGES.base.local}`;
  await Promise.all([
    publish('vulnerabilities', `GRYPE=${local('grype')}`, `GRYPE_DB_UPDATE_URL=${offered.url}`),
    publish('licences', base, `SYFT=${local('syft')}`),
    publish('age', base),
  ]);
  project = await makeProject({ registry, name: 'examples', lines: ['LABEL which=examples'] });
}, 60 * 60_000);
afterAll(async () => {
  await execa('podman', ['rmi', '--force', local('grype'), local('syft')], { reject: false });
  await offered?.stop();
  await project?.remove();
  await rm(scratch, { recursive: true, force: true });
  await undo();
});

const gateImage = (name: string) => `${registry}/flightline/gates/${name}:1`;

async function publish(name: string, ...buildArguments: string[]): Promise<void> {
  const flags = ['--quiet', '--pull=never', '--network=host', ...buildArguments.map((one) => `--build-arg=${one}`)];
  await execa('podman', ['build', ...flags, '--tag', gateImage(name), join(EXAMPLES, name)]);
  await execa('podman', ['push', '--quiet', '--tls-verify=false', gateImage(name)]);
  await execa('podman', ['rmi', gateImage(name)]);
}

/** Releases the image under a tag, with all three gates. */
async function release(tag: string, asked: Record<string, string[]>) {
  const gates = Object.entries(asked).map(([name, words]) => ({ name, image: gateImage(name), arguments: words }));
  const image = { repository: project.repository, tag };
  const spec = { name: 'examples', image, signing: { key: 'release' }, gates };
  await project.write('flightline.yaml', JSON.stringify(spec));
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  const log = await runFlightline(['logs', `${project.repository}:${tag}`, 'gate'], { environment });
  return { outcome, record: recordFrom(outcome), log: log.stdout };
}

it('are content with what they are not asked to refuse', async () => {
  const { outcome, record, log } = await release('v1', {
    vulnerabilities: ['--fail-on', 'critical'],
    licences: ['AGPL-*', 'SSPL-*'],
    age: ['20000'],
  });
  expect(outcome.exitCode, `${outcome.stderr}\n${log}`).toBe(0);
  expect(record.gates?.map(({ verdict }) => verdict)).toEqual(Array(3).fill('passed'));
  // It has looked: what it found is not grave enough.
  expect(log).toMatch(new RegExp(`${PLANTED.name} .*${PLANTED.id} .*High`));
});

it('refuse what they are asked to, and name it', async () => {
  const { outcome, record, log } = await release('v2', {
    vulnerabilities: ['--fail-on', 'high'],
    licences: ['GPL-3*'],
    age: ['30'],
  });
  expect(outcome.exitCode, outcome.stderr).toBe(4);
  expect(record.gates?.map(({ verdict }) => verdict)).toEqual(Array(3).fill('refused'));
  expect(log).toMatch(new RegExp(`^${PLANTED.name} \\S+: GPL-3`, 'm'));
  expect(log).toMatch(new RegExp(`^${PLANTED.name}: built on \\d{4}-\\d{2}-\\d{2}, \\d+ days ago$`, 'm'));
  for (const words of ['ended with exit code 2:', PLANTED.id]) expect(record.failure!.message).toContain(words);
  expect(await digestOf(`${project.repository}:v2`)).toBeNull();
  await runFlightline(['cancel', `${project.repository}:v2`], { environment });
});

const DAY = 86_400;
const daysAgo = (days: number) => String(Math.floor(Date.now() / 1000) - days * DAY - 60);
const age = (root: string, ...args: string[]) =>
  execa('sh', [join(EXAMPLES, 'age/age.sh'), ...args], { env: { ROOT: root }, reject: false });

it('on age go by the day on which Debian packages were built', async () => {
  const root = join(scratch, 'debian');
  const info = join(root, 'var/lib/dpkg/info');
  await mkdir(info, { recursive: true });
  expect(await age(root, '30')).toMatchObject({
    exitCode: 2,
    stdout: 'there is no package database that this gate can read',
  });
  const packages = { fresh: 10, old: 40, undated: null, removed: 99 };
  const status = Object.keys(packages).map((name) => {
    const state = name === 'removed' ? 'deinstall ok config-files' : 'install ok installed';
    return `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\n`;
  });
  await writeFile(join(root, 'var/lib/dpkg/status'), status.join('\n'));
  for (const [name, days] of Object.entries(packages)) {
    const file = join(info, `${name}${name === 'old' ? ':amd64' : ''}.md5sums`);
    if (days !== null) await execa('touch', ['-d', `@${daysAgo(days)}`, file]);
  }
  const refused = await age(root, '30');
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout.split('\n')).toEqual([
    expect.stringMatching(/^old: built on \d{4}-\d{2}-\d{2}, 40 days ago$/),
    'undated: it is not known when it was built',
  ]);
  expect(await age(root, '30', 'old', 'undated')).toMatchObject({ exitCode: 0, stdout: '' });
});

const rpmIsMissing = ['rpm', 'rpmbuild'].some((name) => !existsSync(`/usr/bin/${name}`));

it.skipIf(rpmIsMissing)('on age go by the day on which rpm packages were built', async () => {
  const root = join(scratch, 'enterprise');
  const database = join(root, 'usr/lib/sysimage/rpm');
  await mkdir(database, { recursive: true });
  const spec =
    'Name: made\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\n%files\n';
  await writeFile(join(scratch, 'made.spec'), spec);
  const defines = [`_topdir ${scratch}/rpm`, 'use_source_date_epoch_as_buildtime 1'].flatMap((one) => [
    '--define',
    one,
  ]);
  const env = { SOURCE_DATE_EPOCH: daysAgo(50) };
  await execa('rpmbuild', ['-bb', ...defines, join(scratch, 'made.spec')], { env });
  const file = join(scratch, 'rpm/RPMS/noarch/made-1-1.noarch.rpm');
  const flags = ['--dbpath', database, '--define', '_db_backend sqlite', '--justdb', '--nodeps'];
  await execa('rpm', [...flags, '--install', file]);
  expect(await age(root, '60')).toMatchObject({ exitCode: 0, stdout: '' });
  const refused = await age(root, '30');
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout).toMatch(/^made: built on \d{4}-\d{2}-\d{2}, 50 days ago$/);
});
