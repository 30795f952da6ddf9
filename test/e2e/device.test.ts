/** Devices that verify: a clean one with the files of `flightline device-config`, and images that bring their own. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { signDigest } from '../../activities/trust/signatures.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { copyImage, generateKey } from '../../activities/tools/registry/skopeo.ts';
import { policyFor } from '../../model/device/signature-policy.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { recordFrom, runFlightline, type CommandOutcome } from '../support/flightline.ts';
import { leftOvers, podman } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { buildSmallImage } from '../support/small-image.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const BASE = `${registry}/flightline/debian-base:trixie`;
const KEY = '/etc/pki/containers/release.pub';

let scratch: string;
const projects: Project[] = [];
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-device-'));
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await rm(scratch, { recursive: true, force: true });
});

async function newProject(options: Omit<ProjectOptions, 'registry'>): Promise<Project> {
  const project = await makeProject({ registry, ...options });
  projects.push(project);
  return project;
}
const run = (project: Project, ...args: string[]) =>
  runFlightline(['run', project.spec, '--json', ...args], { environment });

function expectDone(outcome: CommandOutcome): CommandOutcome {
  if (outcome.exitCode !== 0) throw new Error(`exit code ${outcome.exitCode}: ${outcome.stderr}`);
  return outcome;
}

/** What `podman pull` says in a container of the base image, whose /etc has these files of a device besides. */
async function pull(device: string, reference: string): Promise<{ exitCode: number | undefined; said: string }> {
  const storage = await mkdtemp(join(scratch, 'storage-'));
  // The base has no podman of its own: the machine's programs, and nothing of its /etc.
  const volumes = [
    '/usr:/usr:ro',
    `${storage}:/var/lib/containers`,
    ...['containers', 'pki'].map((name) => `${device}/etc/${name}:/etc/${name}:ro`),
  ].map((volume) => `--volume=${volume}`);
  const clean = ['run', '--rm', '--privileged', '--systemd=false', '--network=host', ...volumes];
  const quiet = '--env=PODMAN_IGNORE_CGROUPSV1_WARNING=1';
  const asked = ['podman', 'pull', '--quiet', '--tls-verify=false', reference];
  const options = { env: environment, reject: false };
  const { exitCode, stderr } = await execa('podman', [...clean, quiet, EXAMPLE_IMAGES.base.local, ...asked], options);
  await execa('rm', ['-rf', storage]);
  return { exitCode, said: stderr };
}

describe('the files of device-config', () => {
  let project: Project;
  let device: string;
  let said: string;

  beforeAll(async () => {
    project = await newProject({
      name: 'device-plain',
      lines: ['RUN echo plain > /usr/share/mark'],
    });
    expectDone(await run(project));
    device = join(scratch, 'device');
    const args = ['device-config', project.spec, '--output', device, '--public-key', stack.publicKey, '--json'];
    said = expectDone(await runFlightline(args, { environment })).stdout;
  });

  const fileName = ({ repository }: Project) => `${repository.replaceAll(/[/:]/g, '-')}.yaml`;

  it('are those of the guide', async () => {
    const names = [
      'pki/containers/release.pub',
      `containers/registries.d/${fileName(project)}`,
      'containers/policy.json',
    ];
    expect(JSON.parse(said)).toMatchObject({
      key: 'release',
      repositories: [project.repository],
      files: names.map((name) => join(device, 'etc', name)),
    });
    expect(await readFile(join(device, KEY), 'utf8')).toBe(await readFile(stack.publicKey, 'utf8'));
    expect(JSON.parse(await readFile(join(device, 'etc/containers/policy.json'), 'utf8'))).toEqual({
      default: [{ type: 'insecureAcceptAnything' }],
      transports: { docker: { [project.repository]: [{ type: 'sigstoreSigned', keyPath: KEY }] } },
    });
    const dropIn = await readFile(join(device, 'etc/containers/registries.d', fileName(project)), 'utf8');
    expect(parse(dropIn)).toEqual({ docker: { [project.repository]: { 'use-sigstore-attachments': true } } });
    expect((await stat(join(device, KEY))).mode & 0o777).toBe(0o644);
  });

  it('let podman pull the release, by tag and by digest', async () => {
    expect(await pull(device, project.release)).toMatchObject({ exitCode: 0 });
    const digest = await digestOf(project.release);
    expect(await pull(device, `${project.repository}@${digest}`)).toMatchObject({ exitCode: 0 });
  });

  it('let it refuse a re-tagged image, an unsigned one, and one that another key signed', async () => {
    const { repository } = project;
    await withUserAccess(async (access) => {
      await copyImage(access, {
        source: `docker://${project.release}`,
        destination: `docker://${repository}:retagged`,
      });
      const small = await buildSmallImage(`localhost/flightline-test/device:${process.pid}`);
      await podman(stack, ['push', '--quiet', '--tls-verify=false', small, `docker://${repository}:unsigned`]);
      await podman(stack, ['rmi', '--force', small]);
    });
    const retagged = await pull(device, `${repository}:retagged`);
    expect(retagged.exitCode).not.toBe(0);
    expect(retagged.said).toContain('image rejected');
    const unsigned = await pull(device, `${repository}:unsigned`);
    expect(unsigned.exitCode).not.toBe(0);
    expect(unsigned.said).toContain('A signature was required, but no signature exists');

    const passphraseFile = join(scratch, 'passphrase');
    await writeFile(passphraseFile, 'a passphrase\n', { mode: 0o600 });
    const other = await generateKey(join(scratch, 'other'), passphraseFile);
    const digest = (await digestOf(`${repository}:unsigned`))!;
    const sign = (privateKey: string, passphrase: string, publicKeyFile: string) =>
      withUserAccess(async (access) => {
        const publicKey = await readPublicKey(publicKeyFile);
        const key = { name: 'test', privateKey, passphraseFile: passphrase, publicKeyFile, publicKey };
        await signDigest(access, key, { repository, digest, tags: ['unsigned'] }, { timeout: 60_000 });
      });
    await sign(other.privateKey, passphraseFile, other.publicKey);
    const foreign = await pull(device, `${repository}:unsigned`);
    expect(foreign.exitCode).not.toBe(0);
    expect(foreign.said).toContain('image rejected');
    expect(foreign.said).not.toContain('no signature exists');
    // The same image, signed by the key of the release too: nothing but the key stood in its way.
    await sign(stack.privateKey, stack.passphrase, stack.publicKey);
    expect(await pull(device, `${repository}:unsigned`)).toMatchObject({ exitCode: 0 });
  });

  it('are merged into a policy, which is never weakened', async () => {
    const existing = join(scratch, 'existing.json');
    const merge = (policy: object, output: string, ...more: string[]) =>
      writeFile(existing, JSON.stringify(policy)).then(() => {
        const args = ['device-config', project.spec, '--public-key', stack.publicKey];
        return runFlightline([...args, '--output', output, '--merge', existing, ...more], { environment });
      });
    const strict = join(scratch, 'strict');
    const locked = {
      default: [{ type: 'reject' }],
      transports: { docker: { 'quay.io/apps': [{ type: 'insecureAcceptAnything' }] } },
    };
    const made = await merge(locked, strict);
    expect(made.exitCode, made.stderr).toBe(0);
    expect(JSON.parse(await readFile(join(strict, 'etc/containers/policy.json'), 'utf8'))).toEqual({
      default: [{ type: 'reject' }],
      transports: {
        docker: {
          'quay.io/apps': [{ type: 'insecureAcceptAnything' }],
          [project.repository]: [{ type: 'sigstoreSigned', keyPath: KEY }],
        },
      },
    });
    expect(await pull(strict, project.release)).toMatchObject({ exitCode: 0 });
    expect((await pull(strict, BASE)).said).toContain('rejected by policy');

    const refused = { default: [{ type: 'reject' }], transports: { docker: { [registry]: [{ type: 'reject' }] } } };
    const weakening = await merge(refused, join(scratch, 'never'));
    expect(weakening.exitCode).toBe(1);
    expect(weakening.stderr).toContain(`"${registry}" is rejected there, and stays so`);
    await expect(stat(join(scratch, 'never'))).rejects.toThrow('ENOENT');
    // Without --merge nothing that is there is replaced.
    const over = ['device-config', project.spec, '--public-key', stack.publicKey, '--output', strict];
    expect((await runFlightline(over, { environment })).exitCode).toBe(2);
  });

  it('take the public key from the worker configuration when none is named', async () => {
    const args = ['device-config', project.spec, '--output', join(scratch, 'configured')];
    const config = ['--config', join(stack.directory, 'worker.yaml')];
    expect((await runFlightline([...args, ...config], { environment })).exitCode).toBe(0);
    expect(await readFile(join(scratch, 'configured', KEY), 'utf8')).toBe(await readFile(stack.publicKey, 'utf8'));
    const none = await runFlightline([...args, '--config', '/nonexistent.yaml'], { environment });
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain('--public-key');
  });
});

/** Files of an image in the registry, by their paths. */
async function filesOf(reference: string, paths: readonly string[]): Promise<string[]> {
  await podman(stack, ['pull', '--quiet', '--tls-verify=false', reference]);
  const files: string[] = [];
  for (const path of paths) files.push(await podman(stack, ['run', '--rm', reference, 'cat', path]));
  await podman(stack, ['rmi', reference]);
  return files;
}

describe('verification: bake', () => {
  it('puts key and policy into the image, and proves them before a tag moves', async () => {
    const policy = policyFor(['quay.io/apps'], '/etc/pki/containers/apps.pub', 'reject');
    const project = await newProject({
      name: 'device-baked',
      files: { 'policy.json': JSON.stringify(policy) },
      lines: ['COPY policy.json /etc/containers/policy.json'],
      spec: { verification: 'bake' },
    });
    const record = recordFrom(await run(project));
    expect(record.status).toBe('released');
    expect(record.stages.map(({ name, status }) => `${name} ${status}`)).toEqual(
      ['resolve', 'build', 'push', 'sign', 'verify', 'device-verify', 'tag', 'record'].map((name) => `${name} done`),
    );
    const [key, merged] = await filesOf(project.release, [KEY, '/etc/containers/policy.json']);
    expect(key).toBe((await readFile(stack.publicKey, 'utf8')).trimEnd());
    // The image's own policy rejects by default, and still does.
    expect(JSON.parse(merged!)).toEqual({
      default: [{ type: 'reject' }],
      transports: {
        docker: {
          ...policy.transports!.docker,
          [project.repository]: [{ type: 'sigstoreSigned', keyPath: KEY }],
        },
      },
    });
    expect(await leftOvers(stack)).toEqual([]);
    const log = await runFlightline(['logs', project.release, 'build'], { environment });
    expect(log.stdout).toContain('merged the key into /etc/containers/policy.json');
    // The same again would make the same.
    expect(recordFrom(await run(project))).toMatchObject({ status: 'unchanged', image: record.image });
  });

  it('holds a release whose image rejects it, with no tag moved, until the image is fixed', async () => {
    const project = await newProject({
      name: 'device-rejecting',
      files: {
        'policy.json': JSON.stringify({
          default: [{ type: 'insecureAcceptAnything' }],
          transports: { docker: { [registry]: [{ type: 'reject' }] } },
        }),
      },
      lines: ['COPY policy.json /etc/containers/policy.json'],
      spec: { verification: 'bake' },
    });
    const outcome = await run(project);
    expect(outcome.exitCode, outcome.stderr).toBe(4);
    const { failure } = recordFrom(outcome);
    expect(failure).toMatchObject({ kind: 'device-policy', stage: 'build' });
    expect(failure!.message).toContain(`"${registry}" is rejected there`);
    expect(await tagsOf(project.repository)).toEqual([]);
    await project.write('policy.json', JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }));
    const retried = await runFlightline(['retry', project.release, '--spec', project.spec, '--json'], { environment });
    expect(recordFrom(retried)).toMatchObject({ status: 'released' });
  });
});
