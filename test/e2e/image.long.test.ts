/**
 * The image of deploy/Containerfile, built of the packed file, and a release whose client, control and sign worker are
 * containers of it, with the rights that the Quadlets give. Its base is the example's Debian with Node put in, so that
 * no registry of images is needed; packages come from Debian and npm.
 */
import { spawn } from 'node:child_process';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { workerConfigurationText } from '../../workers/stack/files.ts';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { recordFrom, ROOT, type CommandOutcome } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { untilReady } from '../support/ready-worker.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

/** Packages of Debian and npm, from slow mirrors (ms). */
const BUILD_WITHIN = 1_500_000;
const NODE = `node-linux-${process.arch}@24.22.3`;
const NPM = 'npm@11.6.2';
const IMAGE = 'localhost/flightline/test-image:1';
const BASE = 'localhost/flightline/test-image-base:1';
const QUADLET = '/usr/libexec/podman/quadlet';
/** As deploy/README.md says it. */
const SIZE = /image adds (\d+) MB to its base/.exec(await readFile(join(ROOT, 'deploy/README.md'), 'utf8'))?.[1];
/** In the configuration of npm that the build is given. */
const TOKEN = `planted-${process.pid}-token`;

const ROLES = ['control', 'sign'] as const;
type ContainerRole = (typeof ROLES)[number];

let own: string;
let stack: TestStack;
let project: Project;
let health: string;
const at = (path: string) => join(own, path);
const undo: (() => unknown)[] = [];

const podman = async (...args: string[]) => (await execa('podman', args)).stdout.trim();

beforeAll(async () => {
  own = await mkdtemp(join(tmpdir(), 'flightline-image-'));
  await chmod(own, 0o755);
  undo.push(() => rm(own, { recursive: true, force: true }), await usePrivateContainersConf());
  undo.push(() => execa('podman', ['rmi', '--force', IMAGE, BASE], { reject: false }));
  await buildBase();
  await buildImage();
  stack = await startTestStack({ roles: ['build'] });
  undo.push(() => stack.end());
  await makeSecrets();
  const [port] = await chooseFreePorts(1);
  health = `127.0.0.1:${port}`;
  for (const role of ROLES) undo.push(await startContainer(role));
  project = await makeProject({ registry: stack.registry, name: 'image', disks: [{ type: 'qcow2' }] });
  undo.push(() => project.remove());
  await chmod(project.directory, 0o755);
}, BUILD_WITHIN);

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Unpacks a package of npm's registry, without what it depends on. */
async function unpack(name: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const { stdout: archive } = await execa('npm', ['pack', '--silent', '--prefer-offline', name], { cwd: own });
  await execa('tar', ['--extract', '--strip-components=1', '--file', at(archive), '--directory', directory]);
}

/** Debian 13 with Node and npm, as the usual base has them. */
async function buildBase(): Promise<void> {
  await unpack(NODE, at('base/node'));
  await unpack(NPM, at('base/npm'));
  const lines = [
    `FROM ${EXAMPLE_IMAGES.base.local}`,
    'COPY node/bin/node /usr/local/bin/node',
    'COPY npm /usr/local/lib/node_modules/npm',
    'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
  ];
  await writeFile(at('base/Containerfile'), `${lines.join('\n')}\n`);
  await podman('build', '--quiet', '--network=host', '--tag', BASE, at('base'));
}

/** As deploy/README.md builds it behind a mirror. */
async function buildImage(): Promise<void> {
  await mkdir(at('deploy'));
  // With its scripts, which put the shrinkwrap in.
  await execa('npm', ['pack', '--pack-destination', at('deploy')], { cwd: ROOT });
  await copyFile(join(ROOT, 'deploy/Containerfile'), at('deploy/Containerfile'));
  const { stdout: registry } = await execa('npm', ['config', 'get', 'registry']);
  await writeFile(at('npmrc'), `registry=${registry}\n//registry.invalid/:_authToken=${TOKEN}\n`);
  const authorities = process.env['NODE_EXTRA_CA_CERTS'];
  await podman(
    'build',
    '--network=host',
    `--build-arg=BASE=${BASE}`,
    `--secret=id=npmrc,src=${at('npmrc')}`,
    ...(authorities ? [`--secret=id=ca,src=${authorities}`] : []),
    `--tag=${IMAGE}`,
    at('deploy'),
  );
}

/** What the heads of the Quadlets list. */
async function makeSecrets(): Promise<void> {
  const { privateKey, publicKey, passphrase } = stack.stack.paths;
  const { address, namespace } = stack.stack.temporal;
  await writeFile(at('temporal.toml'), `[profile.default]\naddress = "${address}"\nnamespace = "${namespace}"\n`);
  // The stack's registry asks for no login.
  await writeFile(at('registries.json'), '{"auths":{}}\n');
  for (const [name, file] of [
    ['temporal', at('temporal.toml')],
    ['control-registries', at('registries.json')],
    ['sign-registries', at('registries.json')],
    ['release-private', privateKey],
    ['release-pub', publicKey],
    ['release-passphrase', passphrase],
  ] as const) {
    await podman('secret', 'create', '--replace', `flightline-${name}`, file);
    undo.push(() => podman('secret', 'rm', `flightline-${name}`));
  }
  undo.push(() => execa('podman', ['volume', 'rm', '--force', 'flightline-sign'], { reject: false }));
}

/** A configuration of deploy/, for this stack. */
function configurationOf(role: ContainerRole): WorkerConfiguration {
  const { configuration } = stack.stack;
  const { repositories } = configuration.keys['release']!;
  const secret = (name: string) => `/run/secrets/flightline-release-${name}`;
  const half = { publicKey: secret('pub'), repositories };
  const whole = { ...half, privateKey: secret('private'), passphraseFile: secret('passphrase') };
  return {
    ...configuration,
    host: `${role}-1`,
    directories: { work: '/var/lib/flightline' },
    keys: { release: role === 'sign' ? whole : half },
    ...(role === 'control' && { health: { listen: health } }),
  };
}

/** Starts what podman's generator makes of a Quadlet, which differs in addresses alone; waits until it polls. */
async function startContainer(role: ContainerRole): Promise<() => Promise<void>> {
  const name = `flightline-${role}`;
  await writeFile(at(`${role}-container.yaml`), workerConfigurationText(configurationOf(role)), { mode: 0o644 });
  const quadlet = (await readFile(join(ROOT, `deploy/quadlet/${name}.container`), 'utf8'))
    .replace(/^Image=.*$/m, `Image=${IMAGE}\nNetwork=host`)
    .replace('Volume=/etc/flightline/', `Volume=${own}/`);
  await mkdir(at(`quadlet-${role}`));
  await writeFile(at(`quadlet-${role}/${name}.container`), quadlet);
  const generated = await execa(QUADLET, ['-dryrun'], { env: { QUADLET_UNIT_DIRS: at(`quadlet-${role}`) } });
  const [program, ...args] = /^ExecStart=(.*)$/m.exec(generated.stdout)![1]!.split(' ');
  // No systemd runs here, which would make the container's cgroup, and hear that it is ready.
  const started = args.filter((one) => !/^(?:-d|--sdnotify=.*|--cgroups=split|--cidfile=.*)$/.test(one));
  const log = at(`${role}.log`);
  const output = openSync(log, 'a', 0o600);
  const child = spawn(program!, started, { stdio: ['ignore', output, output] });
  closeSync(output);
  return untilReady(child, `the container of ${role}`, log);
}

/** Runs the image as a client. */
async function client(...args: string[]): Promise<CommandOutcome> {
  const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, FLIGHTLINE_TIMING } = stack.environment;
  const variables = { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, FLIGHTLINE_TIMING, FLIGHTLINE_PUBLIC_KEY: '/key.pub' };
  const flags = ['--rm', '--network=host', '--read-only', '--cap-drop=all', '--security-opt=no-new-privileges'];
  const volumes = [`${project.directory}:/project:ro`, `${stack.publicKey}:/key.pub:ro`];
  const { exitCode, stdout, stderr } = await execa(
    'podman',
    [
      'run',
      ...flags,
      ...volumes.map((one) => `--volume=${one}`),
      ...Object.entries(variables).map(([name, value]) => `--env=${name}=${value}`),
      IMAGE,
      ...args,
    ],
    { reject: false },
  );
  return { exitCode: exitCode ?? -1, stdout, stderr };
}

describe('the image', () => {
  it('runs the packed version, as nobody in particular', async () => {
    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await podman('run', '--rm', '--network=none', IMAGE, 'version')).toContain(version);
    expect(await podman('image', 'inspect', '--format={{.Config.User}}', IMAGE)).toBe('10001:10001');
    expect(await podman('run', '--rm', '--network=none', IMAGE, 'worker', '--help')).toContain('--role');
  });

  it('is as large as deploy/README.md says', async () => {
    const [size, base] = await Promise.all(
      [IMAGE, BASE].map(async (name) => Number(await podman('image', 'inspect', '--format={{.Size}}', name))),
    );
    expect(Math.abs((size! - base!) / 1e6 / Number(SIZE) - 1), `${(size! - base!) / 1e6} MB`).toBeLessThan(0.1);
  });

  it('keeps nothing of the secrets that it was built with', async () => {
    const root = await podman('image', 'mount', IMAGE);
    const found = await execa('grep', ['--recursive', '--files-with-matches', '--fixed-strings', TOKEN, root], {
      reject: false,
    });
    await podman('image', 'unmount', IMAGE);
    // 1: searched, and not found; a socket or the like would be 2.
    expect([found.exitCode, found.stdout]).toEqual([1, '']);
    expect(await podman('history', '--no-trunc', IMAGE)).not.toContain(TOKEN);
  });
});

describe.each(ROLES)('the %s worker in a container', (role) => {
  it('is not root, has no capabilities, and cannot get any', async () => {
    const status = await podman('exec', `flightline-${role}`, 'cat', '/proc/1/status');
    expect(status).toMatch(/^Uid:\t10001\t10001\t10001\t10001$/m);
    expect(status).toMatch(/^CapEff:\t0{16}$/m);
    expect(status).toMatch(/^CapBnd:\t0{16}$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  });
});

it('the control worker says that it is ready', async () => {
  expect((await fetch(`http://${health}/readyz`)).status).toBe(200);
});

describe('a release whose client, control and sign worker are containers', () => {
  it('is released, and verifies as a device would', async () => {
    const outcome = await client('run', '/project/flightline.yaml', '--json');
    const record = recordFrom(outcome);
    expect(record, outcome.stderr).toMatchObject({ status: 'released', image: { verified: true } });
    expect(record.disks).toMatchObject([{ type: 'qcow2', verified: true }]);
    for (const { reference } of [record.image, ...record.disks]) {
      const verified = await client('verify', reference!);
      expect(verified.exitCode, verified.stderr).toBe(0);
    }
  });

  it('is known again by the record that the sign worker signed', async () => {
    expect(recordFrom(await client('run', '/project/flightline.yaml', '--json'))).toMatchObject({
      status: 'unchanged',
    });
  });
});
