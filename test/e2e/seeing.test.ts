/**
 * What an operator sees of a release and its hosts: lists, hosts, logs while it runs and when its host has none any
 * more.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { HostList, type ListedHost } from '../../model/contract/host-status.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import { ReleaseList } from '../../model/release/listing.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { recordFrom, runFlightline, startFlightline, type CommandOutcome } from '../support/flightline.ts';
import { closedGate, type Gate } from '../support/gate.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { withClient } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment } = stack;
/** A password in a URL that the build prints: no log may hold it. */
const CANARY = 'canary-55d0e1b7';

let project: Project;
let gate: Gate;
let scratch: string;
let record: ReleaseRecord;
/** What was seen while the build waited at its gate. */
let during: { hosts: ListedHost[]; running: CommandOutcome; held: CommandOutcome; cut: CommandOutcome };
let silent: { hosts: ListedHost[]; milliseconds: number };
let ran: CommandOutcome;
let followed: CommandOutcome;

/** When this file began, and how often it looked at the hosts. */
const began = new Date();
let looks = 0;

const flightline = (...args: string[]) => runFlightline(args, { environment });

async function hostsNow(): Promise<ListedHost[]> {
  looks += 1;
  const outcome = await flightline('hosts', '--json');
  if (outcome.exitCode !== 0) throw new Error(outcome.stderr);
  return HostList.parse(JSON.parse(outcome.stdout)).hosts;
}

/** A second build worker of this stack, which runs until `body` is done and is then killed. */
async function withGhost(body: () => Promise<void>): Promise<void> {
  const configuration = parse(await readFile(join(stack.directory, 'worker.yaml'), 'utf8')) as Record<string, unknown>;
  const file = join(scratch, 'ghost.yaml');
  const work = join(scratch, 'ghost');
  await mkdir(work, { mode: 0o700 });
  await writeFile(file, stringify({ ...configuration, host: 'ghost', directories: { work } }));
  const worker = startFlightline(['worker', '--role', 'build', '--config', file], { environment });
  try {
    let ready = false;
    worker.stdout.on('data', (lines) => (ready ||= String(lines).includes('worker-ready')));
    await eventually('the second worker polls', async () => ready || undefined, { timeout: 20_000 });
    await body();
  } finally {
    worker.kill('SIGKILL');
    await worker;
  }
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-seeing-'));
  gate = await closedGate();
  project = await makeProject({
    registry: stack.registry,
    name: 'seeing',
    lines: [
      `RUN echo before the gate; echo fetching https://somebody:${CANARY}@mirror.example/file`,
      gate.line,
      'RUN echo after the gate',
    ],
  });
  const run = startFlightline(['run', project.spec, '--json', '--logs'], { environment });
  await eventually('the build waits at its gate', async () => (await gate.isReached()) || undefined, {
    timeout: 60_000,
  });

  const follower = startFlightline(['logs', project.release, '--follow'], { environment });
  let seen = '';
  follower.stdout.on('data', (text) => (seen += String(text)));
  await eventually('the follower has seen the beginning', async () => seen.includes('before the gate') || undefined, {
    timeout: 30_000,
  });
  if (seen.includes('after the gate')) throw new Error('the build did not wait');
  const interrupted = startFlightline(['logs', project.release, 'build', '--follow'], { environment });
  interrupted.stdout.once('data', () => interrupted.kill('SIGINT'));
  const cut = await interrupted;
  during = {
    hosts: await hostsNow(),
    running: await flightline('list', '--status', 'running', '--repository', project.repository, '--json'),
    held: await flightline('list', '--status', 'held', '--repository', project.repository, '--json'),
    cut: { exitCode: cut.exitCode ?? -1, stdout: String(cut.stdout), stderr: String(cut.stderr) },
  };
  await withGhost(async () => {
    await eventually('the second host answers', async () =>
      (await hostsNow()).find(({ host, state }) => host === 'ghost' && state === 'answers'),
    );
  });
  const begin = Date.now();
  silent = { hosts: await hostsNow(), milliseconds: Date.now() - begin };

  await gate.open();
  ran = await outcomeOf(run);
  record = recordFrom(ran);
  followed = await outcomeOf(follower);
});

async function outcomeOf(process: ReturnType<typeof startFlightline>): Promise<CommandOutcome> {
  const { exitCode, stdout, stderr } = await process;
  return { exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) };
}

afterAll(async () => {
  gate?.close();
  await project?.remove();
  await rm(scratch, { recursive: true, force: true });
});

it('the Web UI lists one workflow for each command that asked, however often it did', async () => {
  await withClient(stack, async ({ workflow }) => {
    const since = `StartTime >= '${began.toISOString()}'`;
    const asked: number[] = [];
    const seen = new Set<string>();
    for await (const { type, workflowId, runId } of workflow.list({ query: since })) {
      expect(['release', 'questions']).toContain(type);
      if (type !== 'questions') continue;
      seen.add(workflowId);
      const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
      asked.push(events!.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes).length);
    }
    const questions = asked.reduce((sum, count) => sum + count, 0);
    // Three that follow logs, and three or more looks at the hosts.
    expect(seen.size).toBeLessThanOrEqual(3 + looks);
    expect(questions).toBeGreaterThan(2 * seen.size);
  });
});

describe('flightline hosts', () => {
  it('says of a host what it does while it builds', () => {
    const host = during.hosts.find(({ roles }) => roles.includes('build'))!;
    expect(host).toMatchObject({ state: 'answers', roles: ['control', 'build', 'sign'] });
    const { status } = host;
    expect(status!.slots.build.used).toBe(1);
    expect(status!.disk.free).toBeGreaterThan(0);
    const release = releaseId(project.repository, 'v1');
    expect(status!.leases).toContainEqual({ release, branch: 'image', slot: 'build' });
    expect(status!.running).toContainEqual({ stage: 'build', workflow: release, since: expect.any(String) });
  });

  it('lists a host that does not answer as silent, with when it was seen, and soon', () => {
    const ghost = silent.hosts.find(({ host }) => host === 'ghost')!;
    expect(ghost).toMatchObject({ state: 'silent', roles: ['build'], status: null });
    expect(Date.now() - Date.parse(ghost.lastSeen!)).toBeLessThan(5 * 60_000);
    expect(silent.hosts.filter(({ state }) => state === 'answers')).toHaveLength(1);
    // Alone it takes about three seconds; this machine may be busy.
    expect(silent.milliseconds).toBeLessThan(10_000);
  });
});

describe('flightline list', () => {
  it('filters by status and repository', async () => {
    const releases = ({ stdout }: CommandOutcome) => ReleaseList.parse(JSON.parse(stdout)).releases;
    expect(releases(during.running).map(({ reference, status }) => [reference, status])).toEqual([
      [project.release, 'running'],
    ]);
    expect(releases(during.held)).toEqual([]);
    const above = project.repository.slice(0, project.repository.lastIndexOf('/'));
    const ended = await flightline('list', '--status', 'released', '--repository', above, '--since', '1h', '--json');
    const found = releases(ended);
    expect(found.map(({ reference }) => reference)).toContain(project.release);
    expect(found.map(({ startedAt }) => startedAt)).toEqual(
      found
        .map(({ startedAt }) => startedAt)
        .toSorted()
        .toReversed(),
    );
    const keys = ['release', 'runId', 'reference', 'status', 'stage', 'hosts', 'startedAt', 'closedAt'];
    expect(found.map((one) => Object.keys(one))).toEqual(found.map(() => keys));
  });

  it('is not led astray by what a value holds', async () => {
    // The beginning of a name is not its path.
    expect((await flightline('list', '--repository', project.repository.slice(0, -1))).stdout).toContain(
      'no such releases',
    );
    const quoted = await flightline('list', '--repository', "x' OR 'a' = 'a");
    expect(quoted).toMatchObject({ exitCode: 2, stdout: '' });
    const unknown = await flightline('list', '--status', 'helt');
    expect(unknown.exitCode).toBe(2);
    expect(unknown.stderr).toContain('statuses are running, held, released');
  });
});

describe('flightline logs', () => {
  it('--follow shows lines while they are written, stage after stage, and ends with the release', () => {
    expect(followed.exitCode).toBe(0);
    expect(followed.stdout).toMatch(/before the gate[^]*after the gate/);
    expect(followed.stdout).not.toContain(CANARY);
    expect(followed.stderr).toContain('==> build image');
    expect(followed.stderr).toContain('the release is released');
  });

  it('are shown by run --logs, each line with its stage, without a terminal', () => {
    expect(ran.stderr).toMatch(/^\d\d:\d\d:\d\d\S+ build image: running/m);
    expect(ran.stderr).toMatch(/build image\S* .*before the gate[^]*build image\S* .*after the gate/);
    expect(ran.stderr).not.toContain(CANARY);
  });

  it('--follow leaves the release running on Ctrl-C', () => {
    expect(during.cut.exitCode).toBe(130);
    expect(during.cut.stdout).toContain('before the gate');
    expect(during.cut.stderr).toContain('detached');
    expect(record.status).toBe('released');
  });

  it('come from the registry when the host has none any more, redacted', async () => {
    const { host } = record.stages.find(({ name }) => name === 'build')!;
    const repository = `${project.repository}/logs`;
    expect(record.logs).toEqual([{ host, repository, digest: expect.stringMatching(/^sha256:/) }]);
    const { digest } = record.logs![0]!;
    expect(await tagsOf(repository)).toEqual([digest.replace(':', '-')]);
    expect(await digestOf(`${repository}:${digest.replace(':', '-')}`)).toBe(digest);

    await rm(join(stack.work, 'logs', releaseKey(releaseId(project.repository, 'v1'))), { recursive: true });
    const build = await flightline('logs', project.release, 'build');
    expect(build).toMatchObject({ exitCode: 0 });
    expect(build.stdout).toMatch(/before the gate[^]*after the gate/);
    expect(build.stdout).toContain('https://[secret]@mirror.example/file');
    expect(build.stdout).not.toContain(CANARY);
    const push = await flightline('logs', project.release, 'push', '--json');
    expect(JSON.parse(push.stdout)).toMatchObject({ logs: [{ stage: 'push', text: expect.stringContaining('blob') }] });
    const disks = await flightline('logs', project.release, 'disk-build');
    expect(disks.exitCode).toBe(2);
    expect(disks.stderr).toContain('there are logs of build image, push image');
  });

  it('need no Temporal when the key vouches for the record', async () => {
    const nowhere = { environment: { ...environment, TEMPORAL_ADDRESS: '127.0.0.1:1' } };
    const build = await runFlightline(['logs', project.release, 'build', '--key', stack.publicKey], nowhere);
    expect(build).toMatchObject({ exitCode: 0 });
    expect(build.stdout).toContain('after the gate');
    const none = await runFlightline(['logs', `${project.repository}:v2`, '--key', stack.publicKey], nowhere);
    expect(none.exitCode).toBe(1);
    expect(none.stderr).toContain('is not a record that this key signed for that name');
  });
});

describe('a second run of what is there already', () => {
  it('does not hide the first', async () => {
    const again = await flightline('run', project.spec, '--json');
    expect(recordFrom(again)).toMatchObject({ status: 'unchanged' });
    const { stdout } = await flightline('status', project.release);
    const first = `${project.release}@${record.runId.slice(0, 13)}`;
    expect(stdout).toMatch(/^\S+ {2}unchanged/);
    expect(stdout).toContain(`: ${first}\n`);
    expect(stdout).not.toContain('skipped');
    expect(stdout).toMatch(/^ {2}build +image +done/m);
    const named = await flightline('status', first, '--json');
    expect(JSON.parse(named.stdout)).toEqual(record);
    const listed = await flightline('list', '--repository', project.repository);
    expect(listed.stdout).toMatch(new RegExp(`unchanged .*\n.* released .* ${record.runId.slice(0, 13)}`));
    const logs = await flightline('logs', project.release, 'build');
    expect(logs.stdout).toContain('after the gate');
  });
});
