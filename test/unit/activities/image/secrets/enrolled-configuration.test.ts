/**
 * Asking for an enrollment certificate, with the stand-in for the client: what is asked, kept, refused, and left
 * behind.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  agentConfiguration,
  enrolledUntil,
  forgetConfiguration,
  noteEnrolled,
  placeConfiguration,
} from '../../../../../activities/image/secrets/enrolled-configuration.ts';
import { redact } from '../../../../../activities/tools/process/redact.ts';
import type { FlightlineError } from '../../../../../model/failure/failure.ts';
import { WorkerConfiguration } from '../../../../../model/spec/worker-configuration.ts';
import { temporaryHost } from '../../../../support/host.ts';
import {
  logInFlightctl,
  STAND_IN_FLIGHTCTL,
  type FlightctlLogIn,
  type FlightctlMode,
} from '../../../../support/stand-in-flightctl.ts';

const REPOSITORY = 'r.example/acme/edge';
const build: Parameters<typeof agentConfiguration>[1] = {
  release: `release/${REPOSITORY}:v1`,
  runId: 'run-1',
  repository: REPOSITORY,
  pushTo: [REPOSITORY, `${REPOSITORY}/diskimage-iso`],
};
const asked = { binding: 'early', signer: 'enrollment', days: 365 } as const;
const DAY = 24 * 60 * 60_000;

let scratch: string;
let client: FlightctlLogIn;
let host: Awaited<ReturnType<typeof temporaryHost>>;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-enrollment-'));
  client = await logInFlightctl(join(scratch, 'login'));
  host = await temporaryHost();
  configure({});
});
afterEach(async () => {
  await host.remove();
  await rm(scratch, { recursive: true, force: true });
});

function configure(more: object, secrets: object = {}): void {
  const flightctl = {
    configDirectory: client.directory,
    program: STAND_IN_FLIGHTCTL,
    repositories: ['r.example/acme'],
    ...more,
  };
  Object.assign(host, { configuration: WorkerConfiguration.parse({ flightctl, secrets }) });
}

const failure = async (work: Promise<unknown>) =>
  work.then(
    () => 'no failure',
    (error: FlightlineError) => error.failure,
  );

describe('asking', () => {
  it('gives a configuration that fits, and leaves no file but the one at hand', async () => {
    const { text, ends } = await agentConfiguration(host, build, asked);
    expect(text).toContain('client-key-data: ');
    expect(Math.abs(ends.getTime() - Date.now() - 365 * DAY)).toBeLessThan(DAY);
    const [call] = await client.calls();
    expect(call).toEqual(expect.arrayContaining(['--expiration=365d', `--config-dir=${client.directory}`]));
    const own = host.work.release(build.release);
    expect(await readdir(own)).toEqual(['enrollment.json']);
    expect((await stat(join(own, 'enrollment.json'))).mode & 0o777).toBe(0o600);
    expect((await stat(own)).mode & 0o777).toBe(0o700);
    expect(redact(text)).not.toMatch(/client-key-data: \w/);
  });

  it('asks once for a run, also when its image is refused, and keeps no key once the build is done', async () => {
    const first = await agentConfiguration(host, build, asked);
    expect((await agentConfiguration(host, build, asked)).text).toBe(first.text);
    expect(await client.calls()).toHaveLength(1);
    expect(await enrolledUntil(host, build, asked)).toBeNull();
    await forgetConfiguration(host, build, asked);
    await noteEnrolled(host, build, asked, first);
    const { ends, request } = first;
    expect(request).toMatch(/^flightline-edge-v1-[0-9a-f]{8}$/);
    expect(await enrolledUntil(host, build, asked)).toEqual({ ends, request });
    expect((await agentConfiguration(host, build, asked)).text).toBe(first.text);
    expect(await client.calls()).toHaveLength(1);
    await forgetConfiguration(host, build, asked);
    expect(await enrolledUntil(host, build, asked)).toEqual({ ends, request });
    const kept = await readFile(join(host.work.release(build.release), 'enrollment.json'), 'utf8');
    expect(kept).not.toContain('client-key-data');
  });

  it.each([
    ['another run', { ...build, runId: 'run-2' }, asked],
    ['another validity', build, { ...asked, days: 30 }],
  ])('asks again for %s', async (_, other, wanted) => {
    const first = await agentConfiguration(host, build, asked);
    await agentConfiguration(host, other, wanted);
    expect(await client.calls()).toHaveLength(2);
    await noteEnrolled(host, build, asked, first);
    expect(await enrolledUntil(host, other, wanted)).toBeNull();
  });

  it('adopts no image whose certificate has ended', async () => {
    await noteEnrolled(host, build, asked, {
      text: 'a configuration',
      ends: new Date(Date.now() - 1_000),
      request: null,
    });
    expect(await enrolledUntil(host, build, asked)).toBeNull();
  });

  it('takes the certificate that was issued when the client was killed', async () => {
    await client.set('killed');
    expect(await failure(agentConfiguration(host, build, asked))).toMatchObject({ kind: 'enrollment-service' });
    await client.set('unreachable');
    expect(await failure(agentConfiguration(host, build, asked))).toMatchObject({ kind: 'enrollment-service' });
    await client.set('ok');
    const { text, request } = await agentConfiguration(host, build, asked);
    const [issued] = await readdir(join(client.directory, 'issued'));
    expect(request).toBe(issued);
    expect(await client.calls()).toHaveLength(1);
    expect(redact(text)).not.toMatch(/client-key-data: \w/);
    expect(await readdir(host.work.release(build.release))).toEqual(['enrollment.json']);
    await agentConfiguration(host, { ...build, runId: 'run-2' }, asked);
    expect(await client.calls()).toHaveLength(2);
  });

  it('serves no longer than its certificate authority', async () => {
    await client.set('old-authority');
    const { ends } = await agentConfiguration(host, build, asked);
    expect(Math.round((ends.getTime() - Date.now()) / DAY)).toBe(10);
  });

  it('of another run is not what was issued for a killed one', async () => {
    await client.set('killed');
    await failure(agentConfiguration(host, build, asked));
    await client.set('ok');
    await agentConfiguration(host, { ...build, runId: 'run-2' }, asked);
    expect(await client.calls()).toHaveLength(2);
  });

  // What cannot be had is found out before anything is issued.
  it.each<[FlightctlMode, string, RegExp, number]>([
    ['expired', 'enrollment-login', /server returned 401/, 0],
    ['installer', 'enrollment-denied', /server returned 403/, 0],
    ['unreachable', 'enrollment-service', /connection refused/, 0],
    ['forbidden', 'enrollment-denied', /403/, 1],
    ['empty', 'enrollment', /it is empty/, 1],
    ['ended', 'enrollment', /certificate ended/, 1],
    ['too-long', 'enrollment', /365 days were asked for/, 1],
    ['foreign-key', 'enrollment', /not that of its certificate/, 1],
  ])('a client that fares %s: %s', async (mode, kind, message, requests) => {
    await client.set(mode);
    expect(await failure(agentConfiguration(host, build, asked))).toMatchObject({
      kind,
      message: expect.stringMatching(message) as string,
    });
    // The client leaves its key behind when it fails.
    expect(await readdir(host.work.release(build.release))).toEqual([]);
    await client.set('ok');
    await agentConfiguration(host, build, asked);
    expect(await client.calls()).toHaveLength(requests + 1);
  });

  it.each([
    ['a client that is not installed', { program: '/nowhere/flightctl' }, 'host-setup'],
    ['a login that is not there', { configDirectory: '/nowhere' }, 'enrollment-login'],
    ['a repository that is not listed', { repositories: ['r.example/acme/edge/other'] }, 'secret-not-allowed'],
    [
      'a disk repository that is not listed',
      { repositories: ['r.example/acme/edge/diskimage-iso'] },
      'secret-not-allowed',
    ],
  ])('%s', async (_, more, kind) => {
    configure(more);
    expect(await failure(agentConfiguration(host, build, asked))).toMatchObject({ kind });
  });

  it('a host without a login', async () => {
    Object.assign(host, { configuration: WorkerConfiguration.parse({}) });
    expect(await failure(agentConfiguration(host, build, asked))).toMatchObject({ kind: 'enrollment-login' });
  });
});

describe('a configuration of the operator', () => {
  const named = { binding: 'early', config: 'agent' } as const;
  const secret = (file: string) => ({ agent: { file, repositories: ['r.example/acme'] } });

  it('is used as it is, when a device could', async () => {
    const { text } = await agentConfiguration(host, build, asked);
    const file = join(scratch, 'agent.yaml');
    await writeFile(file, `log-level: debug\n${text}`);
    configure({}, secret(file));
    const given = await agentConfiguration(host, { ...build, runId: 'run-2' }, named);
    expect(given.text).toBe(`log-level: debug\n${text}`);
    await writeFile(file, 'enrollment-service: {}\n');
    const refused = await failure(agentConfiguration(host, { ...build, runId: 'run-3' }, named));
    expect(refused).toMatchObject({ kind: 'enrollment', message: expect.stringMatching(/"agent" holds no/) as string });
  });

  it('is missing', async () => {
    expect(await failure(agentConfiguration(host, build, named))).toMatchObject({ kind: 'secret-missing' });
  });
});

it('is placed for its owner alone, taken away, and never over a file or through a link', async () => {
  const configuration = await agentConfiguration(host, build, asked);
  const directory = join(scratch, 'unpacked');
  const file = join(directory, 'config.yaml');
  await mkdir(directory, { recursive: true });
  const remove = await placeConfiguration(directory, configuration);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).toBe(configuration.text);
  await remove();
  expect(await readdir(directory)).toEqual([]);
  await promisify(execFile)('ln', ['-s', join(scratch, 'elsewhere'), file]);
  expect(await failure(placeConfiguration(directory, configuration))).toMatchObject({ kind: 'context-invalid' });
  expect(await readdir(scratch)).not.toContain('elsewhere');
});
