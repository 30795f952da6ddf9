/**
 * Roles apart, as docs/operations.md deploys them: two build hosts that cannot see the key, control and sign workers
 * with neither root nor podman. One release goes through all of them; the host that built its image is drained before
 * its disk is built.
 */
import { chmod, chown, copyFile, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { version } from '../../activities/tools/version.ts';
import { workerIdentity, type Role } from '../../model/contract/queue.ts';
import { roleOf } from '../../model/contract/activities.ts';
import type { SigningKey } from '../../model/spec/worker-configuration.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { closedGate, type Gate } from '../support/gate.ts';
import { keptOf } from '../support/history.ts';
import { makeProject, type Project } from '../support/project.ts';
import { openReleases, type Releases } from '../support/releases.ts';
import { startBuildHost, type BuildHost } from '../support/second-host.ts';
import { startTestStack, TWO_HOSTS_TIMING, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';
import { startUnprivilegedWorker, type UnprivilegedWorker } from './unprivileged-worker.ts';

/** No accounts of any machine: below systemd's dynamic users (61184), above those of people. */
const UID = { control: 60_781, sign: 60_782 };

/** Where the control worker answers for its health: an address of this run's own, with any port. */
const HEALTH = `127.${process.pid % 250}.${Math.floor(process.pid / 250) % 250}.2:9474`;

let stack: TestStack;
let releases: Releases;
/** Where the key lies, and its files. */
let keys: string;
let hosts: { a: BuildHost; b: BuildHost };
let workers: { control: UnprivilegedWorker; sign: UnprivilegedWorker };
let project: Project;
let gate: Gate;
let record: ReleaseRecord;
let environment: Record<string, string>;
/** What `flightline drain` printed, and what the disk waited for then. */
let said: { drain: string; waiting: string };
const undo: (() => unknown)[] = [];

beforeAll(async () => {
  stack = await startTestStack({ roles: [] });
  undo.push(() => stack.end());
  environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(TWO_HOSTS_TIMING) };
  const key = await giveKeyToSigner();
  const { configuration, temporal } = stack.stack;
  const common = { environment: { TEMPORAL_ADDRESS: temporal.address, TEMPORAL_NAMESPACE: temporal.namespace } };
  const control = await startUnprivilegedWorker({
    ...common,
    role: 'control',
    name: 'plans',
    uid: UID.control,
    programs: ['skopeo', 'git'],
    configuration: { ...configuration, keys: { release: await publicKeyOf(key) }, health: { listen: HEALTH } },
  });
  undo.push(() => control.end());
  const sign = await startUnprivilegedWorker({
    ...common,
    role: 'sign',
    name: 'signer',
    uid: UID.sign,
    programs: ['skopeo'],
    configuration: { ...configuration, keys: { release: key } },
  });
  undo.push(() => sign.end());
  workers = { control, sign };
  const limits = { build: 1, disk: 1 };
  const a = await startBuildHost(stack.stack, { name: 'host-a', limits, hide: [keys] });
  undo.push(() => a.end());
  releases = await openReleases(stack);
  undo.push(() => releases.close());
  gate = await closedGate();
  undo.push(() => gate.close());
  project = await makeProject({
    registry: stack.registry,
    name: 'deployed',
    lines: [gate.line],
    disks: [{ type: 'qcow2' }],
  });
  undo.push(() => project.remove());

  const running = startFlightline(['run', project.spec, '--json'], { environment });
  await eventually('host-a builds', async () => (await gate.isReached()) || undefined);
  const config = join(stack.directory, 'hosts/host-a/worker.yaml');
  const drain = ['drain', '--config', config, '--comment', 'new kernel'];
  said = { drain: (await runFlightline(drain, { environment })).stdout, waiting: '' };
  await gate.open();
  said.waiting = await eventually('the disk says what it waits for', async () => {
    const waiting = await releases.waitingFor(`${project.release}/disks/qcow2`).catch(() => []);
    return waiting.find((line) => line.includes('drained'));
  });
  const b = await startBuildHost(stack.stack, { name: 'host-b', limits, hide: [keys], private: true });
  undo.push(() => b.end());
  hosts = { a, b };
  const { exitCode, stdout, stderr } = await running;
  record = recordFrom({ exitCode: exitCode ?? -1, stdout: String(stdout), stderr: String(stderr) });
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Moves the stack's key to a directory of the signer's account, so that it lies in that one place. */
async function giveKeyToSigner(): Promise<SigningKey> {
  keys = await mkdtemp(join(tmpdir(), 'flightline-keys-'));
  undo.push(() => rm(keys, { recursive: true, force: true }));
  const { repositories } = stack.stack.configuration.keys['release']!;
  const { privateKey, publicKey, passphrase } = stack.stack.paths;
  const moved = {
    privateKey: join(keys, 'private'),
    publicKey: join(keys, 'public'),
    passphraseFile: join(keys, 'pass'),
  };
  await rename(privateKey, moved.privateKey);
  await rename(publicKey, moved.publicKey);
  await rename(passphrase, moved.passphraseFile);
  for (const file of Object.values(moved)) await chown(file, UID.sign, UID.sign);
  await chown(keys, UID.sign, UID.sign);
  await chmod(keys, 0o700);
  return { ...moved, repositories };
}

/** The key as a control worker has it: its public half, in a directory that the control worker can read. */
async function publicKeyOf({ publicKey, repositories }: SigningKey): Promise<SigningKey> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-public-key-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o755);
  const copy = join(directory, 'release.pub');
  await copyFile(publicKey, copy);
  await chmod(copy, 0o644);
  return { publicKey: copy, repositories };
}

/** A field of /proc/PID/status. */
async function statusOf(pid: number, field: string): Promise<string> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)![1]!;
}

describe('a release over two build hosts and unprivileged control and sign workers', () => {
  it('is released, and verifies as a device would', async () => {
    expect(record).toMatchObject({ status: 'released', failure: null, image: { verified: true } });
    expect(record.disks).toMatchObject([{ type: 'qcow2', verified: true }]);
    for (const { reference } of [record.image, ...record.disks]) {
      const args = ['verify', reference!, '--key', join(keys, 'public')];
      const verified = await runFlightline(args, { environment });
      expect(verified.exitCode, verified.stderr).toBe(0);
    }
  });

  it('was built on one host, and on the other when the first was being drained', () => {
    const rows = record.stages.map(({ name, subject, host }) => [name, subject, host]);
    expect(rows.filter(([, , host]) => host !== null)).toEqual([
      ['build', 'image', 'host-a'],
      ['push', 'image', 'host-a'],
      ['disk-build', 'qcow2', 'host-b'],
      ['publish', 'qcow2', 'host-b'],
    ]);
  });

  it('said so while no other host was there', () => {
    expect(said.drain).toMatch(
      /^host-a is being drained \(new kernel\); this needs it still:\n.* its image is being built$/,
    );
    expect(said.waiting).toBe('host-a is being drained (new kernel)');
  });

  it('had each stage done by a worker of its role', async () => {
    const kept = await keptOf(releases.client, `release/${project.release}`);
    const done = kept.flatMap(({ events }) => activitiesOf(events));
    const workerOf = (role: Role, host: string | null) =>
      workerIdentity(role, { control: 'plans', sign: 'signer', build: host! }[role], version());
    for (const { name, host } of record.stages) {
      const type = name.replace(/-(.)/, (_, letter: string) => letter.toUpperCase());
      const identities = done.filter((one) => one.type === type).map(({ identity }) => identity);
      expect(identities, name).toContain(workerOf(roleOf(name), host));
      expect(new Set(identities).size, `${name} was done by ${identities.join(', ')}`).toBe(1);
    }
  });

  it('is known again, and promoted, by a control worker that has the public key alone', async () => {
    const again = recordFrom(await runFlightline(['run', project.spec, '--json'], { environment }));
    expect(again).toMatchObject({ status: 'unchanged', image: { digest: record.image.digest } });
    const promoted = await runFlightline(['promote', project.release, '--to', 'stable', '--json'], { environment });
    expect(JSON.parse(promoted.stdout), promoted.stderr).toMatchObject({ status: 'promoted', key: 'release' });
  });

  it('empties the drained host', async () => {
    const args = ['drain', '--config', join(stack.directory, 'hosts/host-a/worker.yaml'), '--wait', '--json'];
    const { exitCode, stdout } = await runFlightline(args, { environment });
    expect([exitCode, JSON.parse(stdout)]).toMatchObject([0, { host: 'host-a', leases: [] }]);
    expect(await hosts.a.leftOvers()).toEqual([]);
  });
});

describe('the key', () => {
  it('is seen by the sign worker and by no build host', async () => {
    const seen = async (pid: number) => (await readdir(`/proc/${pid}/root${keys}`)).toSorted();
    expect(await seen(workers.sign.pid)).toEqual(['pass', 'private', 'public']);
    expect(await seen(hosts.a.pid())).toEqual([]);
    expect(await seen(hosts.b.pid())).toEqual([]);
  });

  it('cannot be read in a build host’s mount namespace, nor by the control worker’s account', async () => {
    const read = ['cat', join(keys, 'private')];
    const inside = (pid: number) => execa('nsenter', [`--target=${pid}`, '--mount', ...read], { reject: false });
    expect((await inside(workers.sign.pid)).stdout).toContain('PRIVATE KEY');
    for (const host of [hosts.a, hosts.b]) {
      expect(await inside(host.pid())).toMatchObject({ exitCode: 1, stdout: '' });
      expect((await inside(host.pid())).stderr).toContain('No such file or directory');
    }
    const as = ['--reuid', `${UID.control}`, '--regid', `${UID.control}`, '--clear-groups'];
    const other = await execa('setpriv', [...as, ...read], { reject: false });
    expect([other.exitCode, other.stderr]).toEqual([1, expect.stringContaining('Permission denied')]);
  });
});

it('a worker says that it is ready', async () => {
  expect((await fetch(`http://${HEALTH}/readyz`)).status).toBe(200);
});

describe.each(['control', 'sign'] as const)('the %s worker', (role) => {
  it('is not root, has no capabilities, and cannot get any', async () => {
    const { pid } = workers[role];
    expect(await statusOf(pid, 'Uid')).toBe(Array(4).fill(UID[role]).join('\t'));
    expect(await statusOf(pid, 'Gid')).toBe(Array(4).fill(UID[role]).join('\t'));
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(BigInt(`0x${await statusOf(pid, set)}`), set).toBe(0n);
    }
    expect(await statusOf(pid, 'NoNewPrivs')).toBe('1');
    // What a build host's worker has: the field would show it.
    expect(BigInt(`0x${await statusOf(hosts.a.pid(), 'CapEff')}`)).not.toBe(0n);
  });

  it('has no podman on its PATH', async () => {
    const { pid, path } = workers[role];
    const variables = (await readFile(`/proc/${pid}/environ`, 'utf8')).split('\0');
    expect(variables).toContain(`PATH=${path}`);
    expect((await readdir(path)).toSorted()).toEqual(
      role === 'control' ? ['git', 'node', 'skopeo'] : ['node', 'skopeo'],
    );
  });
});

interface Done {
  type: string;
  identity: string;
}

/** What was scheduled in a history, and by whom it was done. */
function activitiesOf(events: unknown[]): Done[] {
  const all = events as {
    eventId?: unknown;
    activityTaskScheduledEventAttributes?: { activityType?: { name?: string } };
    activityTaskStartedEventAttributes?: { scheduledEventId?: unknown; identity?: string };
  }[];
  const types = new Map(
    all.map((event) => [String(event.eventId), event.activityTaskScheduledEventAttributes?.activityType?.name]),
  );
  return all.flatMap(({ activityTaskStartedEventAttributes: started }) => {
    const type = started && types.get(String(started.scheduledEventId));
    return type ? [{ type, identity: started.identity ?? '' }] : [];
  });
}
