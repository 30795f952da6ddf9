import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { registerSecret } from '../../../activities/tools/process/redact.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { SEARCH_ATTRIBUTES } from '../../../model/stage/stage.ts';
import {
  chooseHostName,
  joinedConfiguration,
  loadWorkerConfiguration,
  machineArchitecture,
} from '../../../workers/configuration.ts';
import { connectionProblem, temporalTarget } from '../../../workers/temporal/connection.ts';
import { chooseLogLevel, createLogger, sdkLogger } from '../../../workers/telemetry/log.ts';
import { hostOfIdentity, workerIdentity } from '../../../model/contract/queue.ts';
import { planQueues } from '../../../workers/queues.ts';
import { installRuntime } from '../../../workers/telemetry/runtime.ts';
import { ListenAddress, WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import {
  createCommand,
  devServerSearchAttributes,
  planSearchAttributes,
} from '../../../workers/temporal/search-attributes.ts';

async function withFile<Result>(text: string, body: (file: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-configuration-'));
  try {
    const file = join(directory, 'worker.yaml');
    await writeFile(file, text);
    return await body(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as FlightlineError).failure,
  );

describe('the worker configuration', () => {
  it('is read with its defaults', async () => {
    const { configuration, file } = await withFile('host: build-1\nlimits: {disk: 3}\n', loadWorkerConfiguration);
    expect(configuration).toMatchObject({ host: 'build-1', limits: { build: 2, disk: 3, transfer: 2 } });
    expect(file).toMatch(/worker\.yaml$/);
  });

  it('takes a key with its public key alone, and one whose passphrase belongs to a private key', async () => {
    const keys = (more: string) => `keys: {release: {publicKey: /k.pub, repositories: [quay.io/acme]${more}}}\n`;
    const { configuration } = await withFile(keys(''), loadWorkerConfiguration);
    expect(configuration.keys).toEqual({ release: { publicKey: '/k.pub', repositories: ['quay.io/acme'] } });
    for (const more of [', privateKey: /k.private', ', passphraseFile: /k.passphrase']) {
      const failure = await failureOf(withFile(keys(more), loadWorkerConfiguration));
      expect(failure?.message).toContain('privateKey and passphraseFile belong together');
    }
  });

  it('gives a secret and an enrollment only to repositories that it lists', async () => {
    const flightctl = (more: string) => `flightctl: {configDirectory: /etc/fc, repositories: [quay.io/acme]${more}}\n`;
    const { configuration } = await withFile(flightctl(''), loadWorkerConfiguration);
    expect(configuration.flightctl).toMatchObject({ program: 'flightctl', requestTimeout: 120 });
    const refused = [
      'secrets: {a: {file: /a}}\n',
      'secrets: {a: {file: /a, repositories: []}}\n',
      'secrets: {a: {file: "/a,b", repositories: [quay.io/acme]}}\n',
      'flightctl: {configDirectory: /etc/fc}\n',
      flightctl(', program: ../flightctl'),
      flightctl(', program: --flightctl'),
      // The client polls after a second: one that may take no longer never has an answer.
      flightctl(', requestTimeout: 1'),
    ];
    for (const text of refused) {
      expect(await withFile(text, (file) => failureOf(loadWorkerConfiguration(file))), text).toMatchObject({
        kind: 'invalid-input',
      });
    }
  });

  it('is refused with line, column and the nearest key', async () => {
    const failure = await withFile('host: build-1\nlimit: {disk: 3}\n', (file) =>
      failureOf(loadWorkerConfiguration(file)),
    );
    expect(failure).toMatchObject({ kind: 'invalid-input' });
    expect(failure?.message).toMatch(/worker\.yaml:2:1: .*did you mean "limits"/);
  });

  it.each(['0 GiB', '0.0001 kB', '20'])('lets a context unpack to some size, and not to %s', async (size) => {
    const failure = await withFile(`context: { unpackedSize: ${size} }\n`, (file) =>
      failureOf(loadWorkerConfiguration(file)),
    );
    expect(failure?.message).toMatch(/worker\.yaml:1:\d+: context\.unpackedSize/);
  });

  it('must be there when it is named', async () => {
    const failure = await failureOf(loadWorkerConfiguration('/nowhere/worker.yaml'));
    expect(failure).toMatchObject({
      kind: 'invalid-input',
      message: 'there is no worker configuration /nowhere/worker.yaml',
    });
  });
});

test('what a file says is joined to a configuration, and what it does not say replaces nothing', () => {
  const before = WorkerConfiguration.parse({ host: 'host-a', limits: { build: 4 }, builders: ['r.example/builder'] });
  const text = 'limits: { disk: 3 }\nbuilders: [quay.io/acme]\nwebUi: https://t.example\n';
  expect(joinedConfiguration(before, text, 'FILE')).toEqual({
    ...before,
    limits: { build: 4, disk: 3, transfer: 2 },
    builders: ['r.example/builder', 'quay.io/acme'],
    webUi: 'https://t.example',
  });
  expect(() => joinedConfiguration(before, 'limits: { disk: none }\n', 'FILE')).toThrow(/^FILE:1:/);
});

describe('the host', () => {
  test.each([
    ['given', 'configured', 'machine', 'given'],
    [undefined, 'configured', 'machine', 'configured'],
    [undefined, undefined, 'Machine.Example', 'machine.example'],
  ])('%s, %s, %s is named %s', (given, host, machine, name) => {
    expect(chooseHostName(given, host === undefined ? {} : { host }, machine)).toBe(name);
  });

  it('cannot have just any name', () => {
    expect(() => chooseHostName(undefined, {}, 'my_machine')).toThrow('"my_machine" is not a host name');
  });

  it('has an architecture that builds know', () => {
    expect(machineArchitecture('x64')).toBe('amd64');
    expect(machineArchitecture('arm64')).toBe('arm64');
    expect(() => machineArchitecture('riscv64')).toThrow(FlightlineError);
  });
});

describe('task queues', () => {
  const limits = { build: 2, disk: 1, transfer: 3 };
  const host = { name: 'host-a', architectures: ['amd64'] } as const;

  it('of each role', () => {
    const shown = (roles: Parameters<typeof planQueues>[0]) =>
      planQueues(roles, host, limits).map((plan) => `${plan.taskQueue} ${plan.activities} ${plan.slots}`);
    expect(shown(['control'])).toEqual(['flightline control 20']);
    expect(shown(['sign'])).toEqual(['flightline-sign sign 1']);
    expect(shown(['build'])).toEqual([
      'flightline-build-amd64 claim 20',
      'flightline-host-host-a-build build 2',
      'flightline-host-host-a-disk disk 1',
      'flightline-host-host-a-transfer transfer 3',
      'flightline-host-host-a-short short 20',
    ]);
  });

  it('of a host that emulates: a claim of each architecture that it builds for', () => {
    const queues = planQueues(['build'], { name: 'host-a', architectures: ['amd64', 'arm64'] }, limits);
    expect(queues.filter(({ activities }) => activities === 'claim').map(({ taskQueue }) => taskQueue)).toEqual([
      'flightline-build-amd64',
      'flightline-build-arm64',
    ]);
  });

  it('of several roles are all polled, workflows by control only, and host activities detach at once', () => {
    const plans = planQueues(['control', 'build', 'sign', 'sign'], host, limits);
    expect(plans).toHaveLength(7);
    expect(plans.filter((plan) => plan.workflows).map((plan) => plan.role)).toEqual(['control']);
    expect(plans.filter((plan) => plan.role === 'build').every((plan) => plan.grace === 0)).toBe(true);
  });

  it('need a host to build', () => {
    expect(() => planQueues(['build'], undefined, limits)).toThrow('needs a host');
    expect(planQueues(['sign'], undefined, limits)).toHaveLength(1);
  });

  it('name their worker', () => {
    expect(workerIdentity('build', 'host-a', '0.2.0')).toBe('flightline-build@host-a/0.2.0');
    expect(hostOfIdentity('flightline-build@host-a/0.2.0')).toBe('host-a');
    expect(hostOfIdentity('flightline-sign@host-a/0.2.0')).toBeUndefined();
    expect(hostOfIdentity('123@somebody')).toBeUndefined();
  });
});

describe('search attributes', () => {
  const complete = {
    FlightlineRepository: 2,
    FlightlineTag: 2,
    FlightlineStage: 2,
    FlightlineStatus: 2,
    FlightlineHost: 7,
  };
  test.each([
    [complete, [], []],
    [{}, Object.keys(SEARCH_ATTRIBUTES), []],
    [{ ...complete, FlightlineHost: 2 }, [], ['FlightlineHost']],
    [{ ...complete, Other: 3 }, [], []],
  ])('%j', (existing, missing, wrong) => {
    expect(planSearchAttributes(existing as Record<string, number>)).toEqual({ missing, wrong });
  });

  it('are created by the command that an operator is told', () => {
    expect(createCommand('team-a', ['FlightlineTag', 'FlightlineHost'])).toBe(
      'temporal operator search-attribute create --namespace team-a --name FlightlineTag --type Keyword ' +
        '--name FlightlineHost --type KeywordList',
    );
    expect(devServerSearchAttributes()).toContain('FlightlineHost=KeywordList');
  });
});

describe('Temporal', () => {
  it('is where the environment says', () => {
    const environment = { TEMPORAL_ADDRESS: 'temporal.example:7233', TEMPORAL_NAMESPACE: 'team-a', HOME: '/nowhere' };
    expect(temporalTarget(environment)).toMatchObject({ address: 'temporal.example:7233', namespace: 'team-a' });
    expect(temporalTarget({ HOME: '/nowhere' })).toMatchObject({ address: 'localhost:7233', namespace: 'default' });
  });

  it('cannot be found through a profile that is not there', () => {
    expect(() => temporalTarget({ TEMPORAL_PROFILE: 'nobody', HOME: '/nowhere' })).toThrow(/nobody/);
  });

  test.each([
    [
      new Error('tonic::Error(ConnectError("tcp", Os { code: 111, message: "Connection refused" }))'),
      'Connection refused',
    ],
    [Object.assign(new Error('5 NOT_FOUND: gone'), { details: 'gone' }), 'gone'],
    ['plain', 'plain'],
  ])('%s', (error, words) => {
    expect(connectionProblem(error)).toBe(words);
  });
});

describe('the log', () => {
  it('is a JSON object on a line each, the SDK’s lines too, without credentials', () => {
    const lines: string[] = [];
    const logger = createLogger({ host: 'host-a' }, { write: (line) => lines.push(line) });
    logger.info({ event: 'worker-ready' }, 'polling https://user:secret@registry.example/');
    sdkLogger(logger).warn('without a stack', { error: 'mere words' });
    expect(lines.pop()).toContain('mere words');
    sdkLogger(logger).warn('slow', { [Symbol('time')]: 1, taskQueue: 'q', error: new Error('why') });
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({ level: 'info', host: 'host-a', event: 'worker-ready' });
    expect(first!['message']).toBe('polling https://[secret]@registry.example/');
    expect(second).toMatchObject({ level: 'warn', message: 'slow', taskQueue: 'q', error: { message: 'why' } });
  });

  it('says of which release and stage the SDK’s lines are, and keeps task tokens to itself', () => {
    const lines: string[] = [];
    const log = sdkLogger(createLogger({}, { write: (line) => lines.push(line) }));
    log.warn('slow', {
      workflowId: 'release/r.example:5000/acme/disks/edge:v1/disks/qcow2+iso',
      activityType: 'diskBuild',
      taskToken: 'dG9rZW4=',
    });
    log.warn('slow', { workflowId: 'nightly/r.example/acme/edge', activityType: 'claim' });
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({ release: 'release/r.example:5000/acme/disks/edge:v1', stage: 'disk-build' });
    expect(first).not.toHaveProperty('taskToken');
    expect(second).not.toHaveProperty('release');
    expect(second).not.toHaveProperty('stage');
  });

  it('holds no secret either whose characters JSON spells otherwise', () => {
    registerSecret('pa"ss\\word-58c1');
    const lines: string[] = [];
    const error = new Error('skopeo said: pa"ss\\word-58c1');
    createLogger({}, { write: (line) => lines.push(line) }).warn({ error }, 'the janitor could not finish');
    expect(lines[0]).not.toContain('word-58c1');
    expect(JSON.parse(lines[0]!)).toMatchObject({ error: { message: 'skopeo said: [secret]' } });
  });

  it('has the level that the environment or the configuration asks for', () => {
    expect(chooseLogLevel({}, {})).toBe('info');
    expect(chooseLogLevel({ logLevel: 'warn' }, {})).toBe('warn');
    expect(chooseLogLevel({ logLevel: 'warn' }, { FLIGHTLINE_LOG_LEVEL: 'debug' })).toBe('debug');
    expect(() => chooseLogLevel({}, { FLIGHTLINE_LOG_LEVEL: 'loud' })).toThrow(/FLIGHTLINE_LOG_LEVEL is "loud"/);
    const lines: string[] = [];
    const logger = createLogger({}, { write: (line) => lines.push(line) }, 'warn');
    logger.info('not said');
    logger.warn('said');
    expect(lines).toHaveLength(1);
  });
});

describe('the address of the metrics', () => {
  test.each([
    ['127.0.0.1:9464', true],
    ['0.0.0.0:9464', true],
    ['[::1]:9464', true],
    ['localhost:9464', false],
    ['127.0.0.1', false],
    [':9464', false],
    ['http://127.0.0.1:9464', false],
  ])('%s: %s', (address, fits) => {
    expect(ListenAddress.safeParse(address).success).toBe(fits);
  });

  it('that is taken ends the worker with what to do', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const listen = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      expect(() => installRuntime(createLogger({}, { write: () => true }), { host: 'host-a', listen })).toThrow(
        expect.objectContaining({
          failure: expect.objectContaining({
            kind: 'host-setup',
            message: expect.stringContaining(`${listen}: Address already in use`),
            remedy: expect.objectContaining({ action: expect.stringContaining('--metrics') }),
          }),
        }),
      );
    } finally {
      server.close();
    }
  });
});
