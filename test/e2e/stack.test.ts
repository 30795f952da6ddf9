/**
 * The embedded stack itself: its state, its leftovers, its end. Workers are stand-ins, except where a version follows
 * another; server and registry are real.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { packageRoot } from '../../activities/tools/package-root.ts';
import { stackDocument } from '../../client/terminal/stack-runner.ts';
import { DECIDE_UPDATE, shownDigests } from '../../model/release/approval.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { parseYamlFile } from '../../model/spec/spec-file.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { isAlive } from '../../activities/tools/process/process-identity.ts';
import { readState, type ChildState } from '../../workers/stack/state.ts';
import { startStack } from '../../workers/stack/start.ts';
import type { Stack, StackOptions } from '../../workers/stack/stack.ts';
import type { StackEvent } from '../../workers/stack/processes/supervisor.ts';
import { checkDocument } from '../support/documents.ts';
import { eventually } from '../support/wait.ts';
import { idOf, requestFor } from '../workflows/facts.ts';
import { openHouse } from '../workflows/house.ts';

const SUPPORT = join(import.meta.dirname, '../support');
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-stack-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function start(more: Partial<StackOptions> = {}): Promise<Stack> {
  return startStack({
    directory,
    workerCommand: (role, file) => [process.execPath, join(SUPPORT, 'idle-worker.mjs'), role, file],
    ...more,
  });
}

const answers = async (url: string) => (await fetch(url)).status;

it('survives a kill: the next start ends what was left, and keeps ports and key', async () => {
  const killed = spawn(process.execPath, ['--import', 'tsx', join(SUPPORT, 'stack-process.ts'), directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = (await once(killed.stdout, 'data')) as [Buffer];
  const first = JSON.parse(printed.toString()) as { children: ChildState[]; environment: Record<string, string> };
  expect(first.children.map((child) => child.name).sort()).toEqual([
    'build',
    'control',
    'registry',
    'sign',
    'temporal',
  ]);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  expect(first.children.every(isAlive)).toBe(true);
  const key = await readFile(join(directory, 'keys/release.pub'), 'utf8');

  const events: StackEvent[] = [];
  const stack = await start({ onEvent: (event) => events.push(event) });
  try {
    expect(first.children.filter(isAlive)).toEqual([]);
    expect(events.filter((event) => event.type === 'left-over')).toHaveLength(5);
    expect(stack.environment).toEqual(first.environment);
    expect(await readFile(stack.paths.publicKey, 'utf8')).toBe(key);
    expect(await answers(stack.temporal.webUi)).toBe(200);
    expect(await answers(`http://${stack.registry}/v2/`)).toBe(200);
  } finally {
    await stack.stop();
  }
  expect(stack.children()).toEqual([]);
  expect(readState(directory)!.children).toEqual([]);
});

/** The TCP ports on which a process listens: its sockets' inodes in the kernel's table (proc(5)). */
async function portsOf(pid: number): Promise<number[]> {
  const links = await Promise.all(
    (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
  );
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).split('\n').map((row) => row.trim().split(/\s+/));
  return rows
    .filter(([, , , state, , , , , , inode]) => state === '0A' && links.includes(`socket:[${inode}]`))
    .map(([, local = '']) => Number.parseInt(local.split(':')[1]!, 16));
}

it('takes no request of a web page over the HTTP API of its server', async () => {
  const stack = await start({ roles: [] });
  try {
    const server = stack.children().find(({ name }) => name === 'temporal')!;
    const answered = await Promise.all(
      (await portsOf(server.pid)).map((port) =>
        fetch(`http://127.0.0.1:${port}/api/v1/namespaces/default/schedules/from-a-page`, {
          method: 'POST',
          headers: { 'content-type': 'text/plain', origin: 'http://evil.example' },
          body: JSON.stringify({
            schedule: {
              spec: {},
              action: { startWorkflow: { workflowId: 'x', workflowType: { name: 'x' }, taskQueue: { name: 'x' } } },
            },
            requestId: 'x',
          }),
        }).then(
          ({ status }) => status,
          () => null,
        ),
      ),
    );
    // gRPC speaks no HTTP/1, and the Web UI has no such address.
    expect(answered).toContain(403);
    expect(answered.filter((status) => status !== null && status < 400)).toEqual([]);
  } finally {
    await stack.stop();
  }
});

it('is refused while another stack holds the directory, and stops twice without harm', async () => {
  const stack = await start({ roles: [] });
  try {
    await expect(start()).rejects.toThrow(`is in use by process ${process.pid}`);
  } finally {
    await Promise.all([stack.stop(), stack.stop()]);
  }
});

it('writes what workers and shells need, secrets for the owner only', async () => {
  const given = 'webhooks: { chat: { url: https://hooks.example/chat } }\nbuilders: [quay.io/acme/builder]\n';
  const stack = await start({ roles: [], hostName: 'host-a', workerConfiguration: given });
  try {
    const text = await readFile(stack.paths.workerConfiguration, 'utf8');
    expect(parseYamlFile(text, WorkerConfiguration)).toEqual({ ok: true, value: stack.configuration });
    expect(stack.configuration.webhooks).toHaveProperty('chat');
    expect(stack.configuration.builders).toContain('quay.io/acme/builder');
    expect(stack.configuration.builders).toContain(`${stack.registry}/flightline/debian-builder`);
    for (const file of [stack.paths.privateKey, stack.paths.passphrase, stack.paths.workerConfiguration]) {
      expect((await stat(file)).mode & 0o077).toBe(0);
    }
    await checkDocument(['up'], JSON.stringify(stackDocument(stack)));
    const shell = spawnSync('sh', [
      '-c',
      `. "${stack.paths.environment}"; echo "$FLIGHTLINE_REGISTRY $TEMPORAL_ADDRESS"`,
    ]);
    expect(shell.stdout.toString()).toBe(`${stack.registry} ${stack.temporal.address}\n`);
  } finally {
    await stack.stop();
  }
});

it('refuses a kept port that another program holds', async () => {
  const { registry } = readState(directory)!.ports;
  const server = createServer().listen(registry, '127.0.0.1');
  await once(server, 'listening');
  try {
    await expect(start()).rejects.toThrow(`port ${registry} of the registry is held by process ${process.pid}`);
  } finally {
    server.close();
  }
});

it('starts its server and its registry again when they die, with all that they keep', async () => {
  const events: StackEvent[] = [];
  const stack = await start({ onEvent: (event) => events.push(event) });
  try {
    const before = stack.children();
    const killed = before.filter(({ name }) => name === 'temporal' || name === 'registry');
    for (const { pid } of killed) process.kill(pid, 'SIGKILL');
    const isReady = (child: string) => events.filter((event) => event.child === child && event.type === 'ready').length;
    await eventually('both are ready again', async () =>
      isReady('temporal') === 2 && isReady('registry') === 2 ? true : undefined,
    );
    expect(await answers(stack.temporal.webUi)).toBe(200);
    expect(await answers(`http://${stack.registry}/v2/`)).toBe(200);
    // What was given at an earlier start.
    expect(stack.configuration.webhooks).toHaveProperty('chat');
    const pids = readState(directory)!.children.map(({ pid }) => pid);
    expect(pids).toHaveLength(5);
    expect(killed.some(({ pid }) => pids.includes(pid))).toBe(false);
  } finally {
    await stack.stop();
  }
});

it('ends as a whole, and says why, when its server dies again and again', async () => {
  const events: StackEvent[] = [];
  const stack = await start({ roles: [], onEvent: (event) => events.push(event) });
  for (let kills = 1; kills <= 3; kills += 1) {
    await eventually('the server is ready', async () =>
      events.filter(({ child, type }) => child === 'temporal' && type === 'ready').length === kills ? true : undefined,
    );
    process.kill(stack.children().find(({ name }) => name === 'temporal')!.pid, 'SIGKILL');
  }
  expect((await stack.failed).message).toContain('the Temporal dev server died (SIGKILL) 3 times in a row');
  expect(stack.children()).toEqual([]);
});

it('gives up with the last words of a worker that does not start, and leaves nothing', async () => {
  const workerCommand = () => [process.execPath, '-e', 'console.error("error: no such key"); process.exit(2)'] as const;
  await expect(start({ roles: ['sign'], workerCommand })).rejects.toThrow(
    'the sign worker ended while starting (exit code 2):\nerror: no such key',
  );
  expect(readState(directory)!.children).toEqual([]);
});

/** A copy of this installation whose workflow `release` begins with `code`; the command of its workers. */
async function versionWith(name: string, code: string): Promise<NonNullable<StackOptions['workerCommand']>> {
  const copy = join(directory, name);
  await cp(join(packageRoot(), 'dist'), join(copy, 'dist'), { recursive: true });
  await cp(join(packageRoot(), 'package.json'), join(copy, 'package.json'));
  await symlink(join(packageRoot(), 'node_modules'), join(copy, 'node_modules'));
  const bundle = join(copy, 'dist/workflow-bundle.cjs');
  const before = await readFile(bundle, 'utf8');
  const after = before.replace(/async function release\(\w+\) \{/, `$& ${code}`);
  expect(after).not.toBe(before);
  await writeFile(bundle, after);
  const main = join(copy, 'dist/client/main.js');
  return (role, file) => [process.execPath, main, 'worker', '--role', role, '--config', file];
}

it('goes on after an upgrade with what is held, and names what would not go on', async () => {
  const request = requestFor('upgraded', { disks: {}, approval: 'required' });
  const release = idOf(request);
  const bundle = join(packageRoot(), 'dist/workflow-bundle.cjs');
  // Hosts and signer are stand-ins; the former version's control worker too.
  const houseOn = ({ temporal }: Stack, more: Partial<Parameters<typeof openHouse>[0]> = {}) =>
    openHouse({ address: temporal.address, namespace: 'default', bundle, ...more });
  const shown = ({ status, failure }: ReleaseRecord) => status === 'held' && failure?.kind === 'approval-needed';

  const first = await start({ roles: [] });
  const former = await houseOn(first);
  const record = await former
    .start(request)
    .then((handle) => former.until(handle, 'held', shown))
    .finally(() => former.close().finally(() => first.stop()));

  const changed = await versionWith('changed', 'void new Promise((go) => setTimeout(go, 1));');
  await expect(start({ roles: ['control'], workerCommand: changed })).rejects.toThrow(
    new RegExp(`1 of 1 workflows under way would not go on with this version \\(.*\\): ${release}`),
  );

  const last = await start({
    roles: ['control'],
    workerCommand: await versionWith('last', '/* the same in other words */'),
    configure: (configuration) => ({ ...configuration, workerVersioning: true }),
  });
  const house = await houseOn(last, { control: false, standIns: former.standIns });
  try {
    const handle = house.client.workflow.getHandle<(request: ReleaseRequest) => Promise<ReleaseRecord>>(release);
    const word = { decision: 'approve', by: 'ann@x', comment: '', digests: shownDigests(record) };
    await handle.executeUpdate(DECIDE_UPDATE, { args: [word] });
    expect(await handle.result()).toMatchObject({ status: 'released', image: { digest: record.image.digest } });
    const { searchAttributes } = await handle.describe();
    expect(searchAttributes['TemporalWorkflowVersioningBehavior']).toEqual(['Pinned']);
    expect(house.standIns.callsOf(release, 'build')).toHaveLength(1);
  } finally {
    await house.close().finally(() => last.stop());
  }
});
