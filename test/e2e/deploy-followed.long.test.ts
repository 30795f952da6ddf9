/**
 * deploy/README.md followed word for word: its commands, the configuration files and units as they are but for
 * addresses, roles under accounts of their own with logins of their own, a Temporal dev server.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ReleaseRecord } from '../../model/release/record.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { findTemporalCli } from '../../workers/stack/temporal-cli/temporal-cli.ts';
import { makeMachine, type Machine } from '../support/deployed/machine.ts';
import { startUnit, type StartedUnit } from '../support/deployed/unit.ts';
import { ROOT } from '../support/flightline.ts';
import { pushVariant } from '../support/nightly.ts';
import { LOGIN } from '../support/own-registry.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blocksOf, sectionOf } from '../support/readme.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

/** Each role's login, and the person's: all with the password of {@link LOGIN}. */
const ACCOUNTS = ['control', 'sign', 'build', 'person'];
const ROLES = ['build', 'sign', 'control'] as const;
/** An address of this run's own, for the ports that the configurations name. */
const LOOPBACK = `127.${process.pid % 250}.${Math.floor(process.pid / 250) % 250}.3`;

let scratch: string;
let stack: TestStack;
let machine: Machine;
let project: Project;
let repository: string;
const units: Record<string, StartedUnit> = {};
/** What was exported on the way. */
const typed: Record<string, string> = {};
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-followed-'));
  undo.push(() => rm(scratch, { recursive: true, force: true }));
  const htpasswd = join(scratch, 'htpasswd');
  await writeFile(htpasswd, ACCOUNTS.map((name) => LOGIN.htpasswd.replace(LOGIN.username, name)).join('\n'));
  const authfile = join(scratch, 'person.json');
  stack = await startTestStack({ roles: [], registryAuth: { htpasswd, authfile } }, async ({ registry }) => {
    const auth = Buffer.from(`person:${LOGIN.password}`).toString('base64');
    await writeFile(authfile, JSON.stringify({ auths: { [registry]: { auth } } }));
  });
  undo.push(() => stack.end());
  machine = await makeMachine();
  undo.push(() => machine.end());
  repository = `${stack.registry}/acme/edge-camera`;
  const base = `${stack.registry}/acme/base:1`;
  await pushBase(base);
  project = await makeProject({
    registry: stack.registry,
    name: 'edge-camera',
    tag: 'v1',
    containerfile: `FROM ${base}\nRUN echo deployed > /usr/share/deployed\n`,
    image: { repository, alsoTag: ['nightly'] },
    disks: [{ type: 'qcow2' }],
  });
  undo.push(() => project.remove());
});
afterAll(async () => {
  for (const unit of Object.values(units)) await unit.end();
  for (const step of undo.reverse()) await step();
});

const pushBase = (reference: string) =>
  pushVariant({ ...stack, environment: { ...stack.environment, ...personal() } }, EXAMPLE_IMAGES.base.local, reference);
const personal = () => ({ REGISTRY_AUTH_FILE: join(scratch, 'person.json') });

/** The addresses and names that stand for the reader's own. */
function asHere(text: string): string {
  return text
    .replaceAll('quay.io/centos-bootc/bootc-image-builder', `${stack.registry}/flightline/debian-builder`)
    .replaceAll('quay.io', stack.registry)
    .replaceAll('temporal.example.com:7233', stack.temporalAddress)
    .replaceAll('127.0.0.1:94', `${LOOPBACK}:94`);
}

/** Follows the commands of a section, in order. */
async function follow(heading: string): Promise<string> {
  const document = await readFile(join(ROOT, 'deploy/README.md'), 'utf8');
  const blocks = blocksOf(sectionOf(document, heading)).filter(({ language }) => language === 'sh');
  expect(blocks).not.toEqual([]);
  let said = '';
  for (const line of blocks.flatMap(({ text }) => text.trim().split('\n'))) said += await type(line);
  return said;
}

/** Does one command, as this machine can. */
async function type(line: string): Promise<string> {
  const started = /^systemctl enable --now flightline-(\w+)$/.exec(line)?.[1];
  if (started !== undefined) {
    const log = join(scratch, `${started}.log`);
    units[started] = await startUnit(machine, `flightline-${started}`, log);
    return '';
  }
  const login = /^(skopeo login --authfile \S+?\/(\w+)-registries\.json) (\S+)/.exec(line);
  if (login) {
    const [, command, account, registry] = login;
    const flags = `--username ${account} --password-stdin --tls-verify=false`;
    return machine.sh(`${command} ${flags} ${asHere(registry!)}`, { input: LOGIN.password });
  }
  const exported = /^export (\w+)=(\S+)/.exec(line);
  if (exported) {
    typed[exported[1]!] = exported[2]!;
    return '';
  }
  const cli = await findTemporalCli();
  // "the sign worker's public key": the machines are one here.
  const here = asHere(line).replace(/ release\.pub /, ' /etc/flightline/keys/release.pub ');
  const said = await machine.sh(`PATH=${dirname(cli.path)}:$PATH\n${here}`, { env: typed });
  const configuration = /deploy\/(?:configuration|temporal)\/\S+ (\/etc\S+)/.exec(line)?.[1];
  if (configuration !== undefined) await fillIn(configuration);
  return said;
}

/** Puts the reader's addresses into what was installed. */
const fillIn = async (path: string) => {
  const text = await machine.sh(`cat ${path}`);
  await machine.sh(`cat > ${path}`, { input: asHere(text) });
};

const flightline = (...args: string[]) =>
  machine.sh(`flightline ${args.join(' ')}`, {
    env: { ...typed, ...personal() },
    stderr: 'ignore',
  });
const released = async (...args: string[]) =>
  ReleaseRecord.parse(JSON.parse(await flightline('run', project.spec, '--json', ...args)));

describe('deploy/README.md, followed', () => {
  it('sets up Temporal', async () => {
    await follow('## 1. Temporal');
    // The dev server has no TLS.
    await machine.sh("sed -i '/^\\[profile.default.tls\\]/,$d' /etc/flightline/temporal.toml");
    expect(await machine.sh('cat /etc/flightline/temporal.toml')).toContain(stack.temporalAddress);
  });

  it.each([
    ['build', '## 3. A build host'],
    ['sign', '## 4. The sign worker'],
    ['control', '## 5. Control workers'],
  ])('sets a %s worker up', async (role, heading) => {
    const said = await follow(heading);
    expect(units[role], said).toBeDefined();
  });

  it.each(ROLES)('doctor finds nothing for %s', async (role) => {
    const file = role === 'build' ? 'worker' : role;
    const said = await flightline('doctor', '--role', role, '--config', `/etc/flightline/${file}.yaml`);
    expect(said).not.toMatch(/failed|warning/i);
  });
});

describe('what was deployed', () => {
  let first: ReleaseRecord;

  it('releases, and knows the release again', async () => {
    first = await released();
    expect(first).toMatchObject({ status: 'released', disks: [{ type: 'qcow2', verified: true }] });
    expect(await released()).toMatchObject({ status: 'unchanged', image: { digest: first.image.digest } });
  });

  it('promotes, and rolls back', async () => {
    expect(JSON.parse(await flightline('promote', `${repository}:v1`, '--to', 'stable', '--json'))).toMatchObject({
      status: 'promoted',
      key: 'release',
    });
    await pushBase(`${stack.registry}/acme/base:1`);
    const second = await released('--tag', 'v2');
    expect(second).toMatchObject({ status: 'released' });
    await flightline('promote', `${repository}:v2`, '--to', 'stable');
    await flightline('rollback', `${repository}:stable`, '--comment', 'dark');
    const verified = await flightline(
      'verify',
      `${repository}:stable`,
      '--key',
      '/etc/flightline/release.pub',
      '--json',
    );
    expect(JSON.parse(verified)).toMatchObject({ digest: first.image.digest });
  });

  it('releases by night what has changed, and nothing else', async () => {
    const spec = await readFile(project.spec, 'utf8');
    const nightly =
      spec.replace('tag: v1', 'tag: n-{{date}}') + "rebuild: when-changed\nschedule: {cron: '0 3 * * *'}\n";
    await project.write('flightline.yaml', nightly);
    await flightline('schedule', 'set', project.spec);
    /** The newest of so many runs, once it has ended. */
    const night = async (count: number) => {
      await flightline('schedule', 'trigger', repository);
      return eventually(
        'the night ends',
        async () => {
          const { runs } = JSON.parse(await flightline('schedule', 'show', repository, '--json')) as {
            runs: { outcome: string; reason: string }[];
          };
          const [newest] = runs;
          return runs.length === count && newest!.outcome !== 'running' ? newest : undefined;
        },
        { interval: 2_000 },
      );
    };
    // The spec is part of the context.
    expect(await night(1)).toMatchObject({ outcome: 'released', reason: expect.stringMatching(/^context /) });
    expect(await night(2)).toMatchObject({ outcome: 'unchanged' });
    await pushBase(`${stack.registry}/acme/base:1`);
    expect(await night(3)).toMatchObject({ outcome: 'released', reason: expect.stringMatching(/^base /) });
  });

  it('had each role do its part under its own account and login', async () => {
    const log = await readFile(stack.registryLog, 'utf8');
    for (const account of ACCOUNTS) expect(log).toContain(`auth.user.name=${account} `);
    for (const [role, user] of [
      ['sign', 'flightline-sign'],
      ['control', 'flightline-control'],
    ] as const) {
      const uid = (await machine.sh(`id --user ${user}`)).trim();
      const status = await readFile(`/proc/${units[role]!.pid}/status`, 'utf8');
      expect(/^Uid:\s*(\d+)/m.exec(status)?.[1]).toBe(uid);
    }
  });
});
