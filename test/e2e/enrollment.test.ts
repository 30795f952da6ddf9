/**
 * Secrets of a build: an enrollment certificate, a pull secret and build secrets are where they belong, and nowhere
 * else.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { textsIn } from '../support/history.ts';
import { buildProcesses, leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { startTestStack, withClient, type TestStack } from '../support/stack.ts';
import { logInFlightctl, STAND_IN_FLIGHTCTL, type FlightctlLogIn } from '../support/stand-in-flightctl.ts';
import { eventually } from '../support/wait.ts';
import { blobsWith, fileInImage, filesWith } from './image-content.ts';

const HELD = 4;
// Of this run alone: they are looked for on the whole machine.
const TOKEN = `token-${randomBytes(8).toString('hex')}`;
const PASSWORD = `pull-${randomBytes(8).toString('hex')}`;
const PULL_SECRET = `{"auths":{"quay.example":{"auth":"${Buffer.from(`device:${PASSWORD}`).toString('base64')}"}}}\n`;
/** A step that makes a file of the context part of a stage that the image is not built on. */
const OTHER_STAGE = (base: string) => [`FROM ${base} AS other`, 'COPY . /other/', `FROM ${base}`];

const started = Date.now();
let scratch: string;
let stack: TestStack;
let client: FlightctlLogIn;
let graphRoot: string;
const projects: Project[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-enrollment-test-'));
  client = await logInFlightctl(join(scratch, 'flightctl'));
  const secret = async (name: string, text: string) => {
    await writeFile(join(scratch, name), text, { mode: 0o600 });
    return { file: join(scratch, name), repositories: ['127.0.0.1'] };
  };
  const token = await secret('token', TOKEN);
  const pull = await secret('pull', PULL_SECRET);
  stack = await startTestStack({
    configure: (configuration) => {
      const { repositories } = configuration.keys['release']!;
      return {
        ...configuration,
        secrets: { token: { ...token, repositories }, pull: { ...pull, repositories }, foreign: token },
        flightctl: {
          configDirectory: client.directory,
          program: STAND_IN_FLIGHTCTL,
          repositories,
          requestTimeout: 60,
        },
      };
    },
  });
  graphRoot = await podman(stack, ['info', '--format', '{{.Store.GraphRoot}}']);
});
afterEach(() => client?.set('ok'));
afterAll(async () => {
  for (const project of projects) await project.remove();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

async function newProject(name: string, options: Partial<ProjectOptions>): Promise<Project> {
  const made = await makeProject({ registry: stack.registry, name, ...options });
  projects.push(made);
  return made;
}

const base = () => `${stack.registry}/flightline/debian-base:trixie`;
const flightline = (...args: string[]) => runFlightline(args, { environment: stack.environment });

/** Runs a command to the end of what it follows. */
async function outcome(exitCode: number, ...args: string[]): Promise<ReleaseRecord> {
  const ended = await flightline(...args, '--json');
  expect(ended.exitCode, ended.stderr).toBe(exitCode);
  return recordFrom(ended);
}

/** Lets a held release go on, to its end. */
async function retried(one: Project, ...args: string[]): Promise<ReleaseRecord> {
  const retry = await flightline('retry', one.release, ...args);
  expect(retry.exitCode, retry.stdout + retry.stderr).toBe(0);
  return outcome(0, 'watch', one.release);
}

/** All that Temporal keeps of every workflow of the stack. */
async function histories(): Promise<string> {
  return withClient(stack, async ({ workflow }) => {
    const texts: string[] = [];
    for await (const { workflowId, runId } of workflow.list()) {
      const handle = workflow.getHandle(workflowId, runId);
      texts.push(...textsIn(await handle.fetchHistory()), ...textsIn((await handle.describe()).raw));
    }
    return texts.join('\n');
  });
}

/**
 * Where on this machine some texts are: logs, work directories, podman's storage, temporary files. The test's own do
 * not count.
 */
async function placesOf(texts: readonly string[]): Promise<string[]> {
  const files = await filesWith([stack.directory, graphRoot, '/tmp', '/var/tmp'], texts, started);
  return files.filter((file) => !file.startsWith(scratch));
}

/** The secret parts of an agent configuration: as it is embedded, and a line of the key itself. */
function secretParts(text: string): string[] {
  const file = parse(text) as { 'enrollment-service': { authentication: Record<string, string> } };
  const key = file['enrollment-service'].authentication['client-key-data']!;
  return [key, Buffer.from(key, 'base64').toString().split('\n')[1]!];
}

describe('early binding', () => {
  let early: Project;
  let record: ReleaseRecord;
  let callsBefore = 0;
  const callsOfEarly = async () => (await client.calls()).slice(callsBefore);

  it('holds a release whose login has expired, and goes on once it is renewed', async () => {
    early = await newProject('early', {
      containerfile: [
        ...OTHER_STAGE(base()),
        'RUN mkdir -p /usr/share/early',
        'COPY --from=other /other/note /usr/share/early/',
        'ADD config.yaml /etc/flightctl/',
        '',
      ].join('\n'),
      // The file is made on the build host: what keeps a developer's own out of the context must not keep it out of the
      // image.
      files: { note: 'a note\n', '.containerignore': 'config.yaml\n', 'config.yaml': "a developer's own\n" },
      disks: [{ type: 'qcow2' }],
      spec: { enrollment: { binding: 'early', expiration: '30d', signer: 'enrollment' } },
    });
    callsBefore = (await client.calls()).length;
    await client.set('expired');
    const held = await outcome(HELD, 'run', early.spec);
    expect(held.failure).toMatchObject({ kind: 'enrollment-login', stage: 'build' });
    expect(held.failure!.remedy.action).toContain('flightctl login');
    await client.set('ok');
    record = await retried(early);
    expect(record.status).toBe('released');
    const calls = await callsOfEarly();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain('--expiration=30d');
  });

  it('puts the configuration into the image, for root alone, and says until when it serves', async () => {
    const { certificateEnds, certificateRequest, digest } = record.image;
    expect(certificateRequest).toMatch(/^flightline-early-v1-[0-9a-f]{8}$/);
    expect(Math.round((Date.parse(certificateEnds!) - Date.now()) / 86_400_000)).toBe(30);
    // The stack's registry asks nobody who they are.
    const open = [early.repository, `${early.repository}/diskimage-qcow2`];
    expect(record.warnings).toEqual(
      open.map(
        (repository) => expect.stringContaining(`the enrollment key in the image from ${repository}: `) as string,
      ),
    );
    const shown = await flightline('status', early.release);
    expect(shown.stdout).toContain(`enrollment certificate in the image: until ${certificateEnds!.slice(0, 10)}`);
    expect(shown.stdout).toContain('warning: anybody can pull');
    const file = await fileInImage(`${early.repository}@${digest}`, 'etc/flightctl/config.yaml');
    expect(file).toMatchObject({ mode: '-rw-------', owner: '0/0' });
    expect(secretParts(file!.text)[1]).toMatch(/^[A-Za-z0-9+/=]{40,}$/);
  });

  it('leaves it nowhere else: no history, log, work directory, layer, or other blob of the registry', async () => {
    const image = `${early.repository}@${record.image.digest}`;
    const { text, layer } = (await fileInImage(image, 'etc/flightctl/config.yaml'))!;
    const secrets = secretParts(text);
    const blobs = await blobsWith(join(stack.directory, 'registry'), secrets, started);
    // The disk is the image.
    const disk = `sha256:${record.disks[0]!.file!.sha256}`;
    expect(blobs.filter((blob) => blob !== disk)).toEqual([layer]);
    expect((await placesOf(secrets)).filter((file) => !file.includes(disk.slice('sha256:'.length)))).toEqual([]);
    const kept = await histories();
    for (const secret of secrets) expect(kept.includes(secret)).toBe(false);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('is unchanged while the certificate lasts', async () => {
    const again = await outcome(0, 'run', early.spec);
    expect(again).toMatchObject({ status: 'unchanged', image: record.image });
    expect(await callsOfEarly()).toHaveLength(1);
  });

  it('does not ask twice, and keeps no layer of a build that failed', async () => {
    const before = (await client.calls()).length;
    const lines = (last: string) => [...OTHER_STAGE(base()), 'ADD config.yaml /etc/flightctl/', last, ''].join('\n');
    const failing = await newProject('early-failing', {
      containerfile: lines('RUN false'),
      spec: { enrollment: { binding: 'early' } },
    });
    expect((await outcome(HELD, 'run', failing.spec)).failure!.kind).toBe('containerfile');
    const own = join(stack.work, 'releases');
    const [release] = await readdir(own);
    const state = join(own, release!, 'enrollment.json');
    const secrets = secretParts((JSON.parse(await readFile(state, 'utf8')) as { text: string }).text);
    // In the file it lies as JSON: what was embedded is the same text there.
    expect(new Set(await placesOf(secrets))).toEqual(new Set([state]));

    await failing.write('Containerfile', lines('RUN true'));
    const released = await retried(failing, '--spec', failing.spec);
    expect(released.status).toBe('released');
    expect((await client.calls()).length - before).toBe(1);
    const file = await fileInImage(`${failing.repository}@${released.image.digest}`, 'etc/flightctl/config.yaml');
    expect(secretParts(file!.text)).toEqual(secrets);
    expect(await placesOf(secrets)).toEqual([]);
  });

  it('goes with the build, also when its worker is killed in the middle of it, and asks once', async () => {
    const before = (await client.calls()).length;
    const killed = await newProject('early-killed', {
      lines: ['ADD config.yaml /etc/flightctl/', `RUN sleep 600.${started % 1000}`],
      spec: { enrollment: { binding: 'early' } },
    });
    expect((await flightline('run', '--detach', killed.spec)).exitCode).toBe(0);
    const step = async () => (await buildProcesses(stack)).find(({ command }) => command.startsWith('sleep 600'))?.pid;
    const first = await eventually('the step after the file runs', step);
    const [release] = await readdir(join(stack.work, 'releases'));
    const kept = await readFile(join(stack.work, 'releases', release!, 'enrollment.json'), 'utf8');
    const secrets = secretParts((JSON.parse(kept) as { text: string }).text);
    expect((await placesOf(secrets)).some((file) => file.includes('/overlay/'))).toBe(true);

    process.kill(stack.pidOf('build'), 'SIGKILL');
    await eventually('it runs again', async () => {
      const now = await step();
      return now !== undefined && now !== first ? now : undefined;
    });
    expect((await client.calls()).length - before).toBe(1);
    expect((await flightline('cancel', killed.release)).exitCode).toBe(0);
    await eventually('the release has ended', async () => ((await leftOvers(stack)).length === 0 ? true : undefined));
    expect(await placesOf(secrets)).toEqual([]);
  });

  it('is held when the image lacks the configuration', async () => {
    const lacking = await newProject('early-lacking', { spec: { enrollment: { binding: 'early' } } });
    const held = await outcome(HELD, 'run', lacking.spec);
    expect(held.failure).toMatchObject({ kind: 'enrollment-binding' });
    expect(held.failure!.remedy.action).toContain('ADD config.yaml /etc/flightctl/');
    expect((await flightline('cancel', lacking.release)).exitCode).toBe(0);
  });
});

it('late binding refuses an image that holds a configuration', async () => {
  const late = await newProject('late', {
    lines: ['RUN install -D /dev/null /etc/flightctl/config.yaml'],
    spec: { enrollment: { binding: 'late' } },
  });
  const held = await outcome(HELD, 'run', late.spec);
  expect(held.failure).toMatchObject({ kind: 'enrollment-binding', stage: 'build' });
  await late.write('Containerfile', `FROM ${base()}\nRUN install -d /etc/flightctl\n`);
  const released = await retried(late, '--spec', late.spec);
  expect(released.status).toBe('released');
  expect(released.image.certificateEnds).toBeUndefined();
});

describe('secrets', () => {
  it('are there while a step runs, and a pull secret in the last layer: nowhere else', async () => {
    const one = await newProject('secrets', {
      // Podman's cache would give out what an earlier run of this test has made.
      lines: [
        `RUN --mount=type=secret,id=t : ${started}; sha256sum < /run/secrets/t > /usr/share/sum && cat ` +
          '/run/secrets/t && echo .',
      ],
      image: { pullSecret: 'pull' },
      spec: { secrets: [{ id: 't', from: 'token' }] },
    });
    const record = await outcome(0, 'run', one.spec);
    const image = `${one.repository}@${record.image.digest}`;
    const sum = await fileInImage(image, 'usr/share/sum');
    expect(sum!.text).toContain(createHash('sha256').update(TOKEN).digest('hex'));
    const file = await fileInImage(image, 'etc/ostree/auth.json');
    expect(file).toMatchObject({ mode: '-rw-------', owner: '0/0', text: PULL_SECRET });

    const auth = Buffer.from(`device:${PASSWORD}`).toString('base64');
    expect(await blobsWith(join(stack.directory, 'registry'), [TOKEN, PASSWORD, auth], started)).toEqual([file!.layer]);
    expect(await placesOf([TOKEN, PASSWORD, auth])).toEqual([]);
    const kept = await histories();
    for (const secret of [TOKEN, PASSWORD, auth]) expect(kept.includes(secret)).toBe(false);
    // What the step printed is in its log, but for the secret.
    const log = record.stages.find(({ name }) => name === 'build')!.log!;
    expect(await readFile(log.path, 'utf8')).toContain('[secret].');
  });

  it('that the host lacks hold the release before anything is built', async () => {
    const one = await newProject('unknown-secret', { spec: { secrets: [{ id: 't', from: 'nowhere' }] } });
    const held = await outcome(HELD, 'run', one.spec);
    expect(held.failure).toMatchObject({ kind: 'secret-missing', stage: 'build', log: null });
    expect(held.failure!.message).toContain('"nowhere"');
    expect((await flightline('cancel', one.release)).exitCode).toBe(0);
  });

  it('that are for others fail it', async () => {
    const one = await newProject('foreign-secret', { spec: { secrets: [{ id: 't', from: 'foreign' }] } });
    const failed = await outcome(1, 'run', one.spec);
    expect(failed.failure).toMatchObject({ kind: 'secret-not-allowed', stage: 'build', log: null });
  });
});

// Last: its pull secret is that of the secrets above, which look where else it is.
describe('an enrollment, a pull secret and a verification in one image', () => {
  it('are built on one another, adopted when the last of them fails, and gone from the host at the end', async () => {
    const before = (await client.calls()).length;
    const policy = (entry: object) =>
      JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }], transports: { docker: entry } });
    const all = await newProject('early-baked', {
      lines: ['ADD config.yaml /etc/flightctl/', 'COPY policy.json /etc/containers/policy.json'],
      files: { 'policy.json': policy({ [stack.registry]: [{ type: 'reject' }] }) },
      image: { pullSecret: 'pull' },
      spec: { enrollment: { binding: 'early' }, verification: 'bake' },
    });
    const held = await outcome(HELD, 'run', all.spec);
    expect(held.failure).toMatchObject({ kind: 'device-policy', stage: 'build' });
    const steps = async () =>
      (await readFile(held.failure!.log!.path, 'utf8')).split('\n').filter((line) => line.includes('COMMIT '));
    const built = (await steps()).length;
    expect((await outcome(HELD, 'retry', all.release)).failure).toMatchObject({ kind: 'device-policy' });
    expect(await steps()).toHaveLength(built);

    await all.write('policy.json', policy({}));
    const record = await retried(all, '--spec', all.spec);
    expect(record).toMatchObject({ status: 'released', image: { verified: true } });
    expect((await client.calls()).length - before).toBe(1);
    expect(record.warnings).toEqual([
      expect.stringContaining(`the enrollment key and the pull secret in the image from ${all.repository}: `),
    ]);
    const image = `${all.repository}@${record.image.digest}`;
    const config = (await fileInImage(image, 'etc/flightctl/config.yaml'))!;
    const login = (await fileInImage(image, 'etc/ostree/auth.json'))!;
    expect(login).toMatchObject({ mode: '-rw-------', text: PULL_SECRET });
    expect((await fileInImage(image, 'etc/containers/policy.json'))!.text).toContain(all.repository);
    const secrets = [...secretParts(config.text), PASSWORD];
    expect(await placesOf(secrets)).toEqual([]);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
