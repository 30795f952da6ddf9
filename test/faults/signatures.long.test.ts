/** Others who sign: a registry keeps all signatures of a digest in one tag, and the last one to write wins. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workerConfigurationText } from '../../workers/stack/files.ts';
import { hasReadyEvent } from '../../workers/telemetry/log.ts';
import { COMMAND, recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { closedGate } from '../support/gate.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startProxiedStack } from '../support/proxied-stack.ts';
import { digestOf, manifestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { processesNaming } from '../support/second-host.ts';
import { eventually } from '../support/wait.ts';

let site: Awaited<ReturnType<typeof startProxiedStack>>;
let second: ChildProcess;
const projects: Project[] = [];

beforeAll(async () => {
  site = await startProxiedStack();
  second = await secondSignWorker();
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  if (second) {
    const ended = once(second, 'exit');
    second.kill('SIGTERM');
    await ended;
  }
  await site?.end();
});

/** On another machine, as it were: with a work directory of its own. */
async function secondSignWorker(): Promise<ChildProcess> {
  const { stack } = site.stack;
  const work = join(stack.directory, 'second-sign');
  await mkdir(work, { mode: 0o700 });
  const file = join(work, 'worker.yaml');
  const configuration = { ...stack.configuration, directories: { work } };
  await writeFile(file, workerConfigurationText(configuration), { mode: 0o600 });
  const child = spawn(process.execPath, [COMMAND, 'worker', '--role', 'sign', '--config', file], {
    env: { ...process.env, ...stack.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  await eventually('the second sign worker is ready', async () => {
    if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
    return hasReadyEvent(output) || undefined;
  });
  return child;
}

async function begin(name: string, lines: string[] = [`LABEL which=${name}`]) {
  const { stack, proxy } = site;
  const project = await makeProject({ registry: proxy.address, name, lines });
  projects.push(project);
  return { project, running: startFlightline(['run', project.spec, '--json'], { environment: stack.environment }) };
}

/** Waits for the release, and looks at its tag and at what signatures its image has. */
async function expectSigned({ project, running }: Awaited<ReturnType<typeof begin>>, signatures: number) {
  const { environment, publicKey } = site.stack;
  const { exitCode, stdout, stderr } = await running;
  expect(exitCode, String(stderr)).toBe(0);
  const record = recordFrom({ exitCode: 0, stdout: String(stdout), stderr: '' });
  const digest = record.image.digest!;
  expect(await digestOf(project.release)).toBe(digest);
  const verified = await runFlightline(['verify', project.release, '--key', publicKey], { environment });
  expect(verified.exitCode, verified.stderr).toBe(0);
  const kept = (await manifestOf(`${project.repository}@${digest}`.replace(/@sha256:(.*)/, ':sha256-$1.sig'))) as {
    layers?: unknown[];
  };
  expect(kept.layers, 'signatures').toHaveLength(signatures);
  expect(await leftOvers(site.stack)).toEqual([]);
  return record;
}

it(
  'a foreign signature that replaces ours after it was verified: ours is written beside it before the tag ' + 'moves',
  async () => {
    const { stack, proxy } = site;
    const gate = await closedGate();
    const release = await begin('replaced', [gate.line]);
    await eventually('the build waits', async () => (await gate.isReached()) || undefined);
    // Resolve has asked for the tag before; the next to ask is what moves it.
    const atTag = proxy.inject({ method: 'HEAD', path: /test\/replaced\/manifests\/v1$/, what: 'stall' });
    await gate.open();
    await eventually('all is verified', async () => atTag.hits > 0 || undefined);
    gate.close();
    const [signature] = await tagsOf(release.project.repository);
    expect(signature).toMatch(/^sha256-[0-9a-f]{64}\.sig$/);
    const digest = signature!.replace('-', ':').replace('.sig', '');
    const prefix = join(stack.directory, 'foreign');
    const passphrase = `${prefix}.passphrase`;
    await writeFile(passphrase, 'foreign', { mode: 0o600 });
    await execa('skopeo', ['generate-sigstore-key', '--output-prefix', prefix, '--passphrase-file', passphrase]);
    const image = `docker://${release.project.repository}@${digest}`;
    const sign = ['--sign-by-sigstore-private-key', `${prefix}.private`, '--sign-passphrase-file', passphrase];
    const plain = [
      '--src-tls-verify=false',
      '--dest-tls-verify=false',
      '--sign-identity',
      `${release.project.release}`,
    ];
    await execa('skopeo', ['--registries.d', await attachments(), 'copy', ...plain, ...sign, image, image]);
    // What it would have written had it read the tag before ours was there.
    const path = release.project.repository.slice(proxy.address.length + 1);
    const url = `http://${stack.registry}/v2/${path}/manifests/${signature}`;
    const type = 'application/vnd.oci.image.manifest.v1+json';
    const both = (await (await fetch(url, { headers: { accept: type } })).json()) as { layers: unknown[] };
    expect(both.layers).toHaveLength(2);
    const body = JSON.stringify({ ...both, layers: both.layers.slice(1) });
    expect((await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body })).status).toBe(201);
    atTag.lift();
    const record = await expectSigned(release, 2);
    expect(record.stages.find(({ name, subject }) => name === 'sign' && subject === 'image')!.attempts).toBe(2);
  },
);

/** Signatures beside images: skopeo writes them there only when it is told so. */
async function attachments(): Promise<string> {
  const directory = join(site.stack.directory, 'registries.d');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'default.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n');
  return directory;
}

it('a sign worker that stands still is replaced; its late write changes nothing', async () => {
  const { stack, proxy } = site;
  const path = /test\/late\/manifests\/.*\.sig/;
  const write = proxy.inject({ method: 'PUT', path, what: 'stall', times: 1 });
  const release = await begin('late');
  await eventually('a signature is about to be written', async () => write.hits === 1 || undefined);
  // Whichever of the two it is that signs: its skopeo waits, and its process stands still.
  const signers = [stack.pidOf('sign'), second.pid!];
  const programs = await processesNaming([`${release.project.repository}@`]);
  const parent = await parentOf(programs.find(({ program }) => program.startsWith('skopeo'))!.pid);
  expect(signers).toContain(parent);
  process.kill(parent, 'SIGSTOP');
  try {
    const stored = async () =>
      (await storedManifests(stack.registryLog)).filter((name) => name.startsWith('test/late:'));
    await eventually('the other one has signed and tagged', async () => (await stored()).length === 2 || undefined);
    expect(await stored()).toEqual([expect.stringMatching(/\.sig$/), 'test/late:v1']);
    write.lift();
    await eventually('the late signature is written', async () => (await stored()).length === 3 || undefined);
  } finally {
    process.kill(parent, 'SIGCONT');
  }
  const record = await expectSigned(release, 1);
  expect(record.stages.find(({ name, subject }) => name === 'sign' && subject === 'image')!.attempts).toBe(2);
});

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))![1]);
}
