/** Two who sign the same digest at the same moment: a registry keeps all signatures in one tag, and the last one to write wins. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workerConfigurationText } from '../../workers/stack/files.ts';
import { hasReadyEvent } from '../../workers/stack/plans.ts';
import { COMMAND, recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startProxiedStack } from '../support/proxied-stack.ts';
import { digestOf, manifestOf, storedManifests } from '../support/registry.ts';
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

it('leave both signatures: the one that was written over is written again', async () => {
  const { stack, proxy } = site;
  const start = async (tag: string) => {
    const lines = ['LABEL which=shared'];
    const project = await makeProject({ registry: proxy.address, name: 'shared', tag, lines });
    projects.push(project);
    return { project, running: startFlightline(['run', project.spec, '--json'], { environment: stack.environment }) };
  };
  const path = /^\/v2\/test\/shared\/manifests\/.*\.sig/;
  const stalled = () => proxy.inject({ method: 'PUT', path, what: 'stall', times: 1 });
  const firstWrite = stalled();
  const first = await start('v1');
  await eventually('the first is about to write', async () => firstWrite.hits === 1 || undefined);
  const secondWrite = stalled();
  const other = await start('v2');
  await eventually('the second is about to write', async () => secondWrite.hits === 1 || undefined);
  // Both have read that there is no signature.
  secondWrite.lift();
  const signatures = async () => (await storedManifests(stack.registryLog)).filter((name) => name.endsWith('.sig'));
  await eventually('the second has written', async () => (await signatures()).length > 0 || undefined, {
    interval: 20,
  });
  firstWrite.lift();
  for (const { project, running } of [first, other]) {
    const { exitCode, stdout, stderr } = await running;
    expect(exitCode, String(stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(stdout), stderr: '' });
    expect(await digestOf(project.release)).toBe(record.image.digest);
  }
  expect((await signatures()).length, 'times that signatures were written').toBeGreaterThanOrEqual(3);
  for (const { project } of [first, other]) {
    const { environment } = stack;
    const verified = await runFlightline(['verify', project.release, '--key', stack.publicKey], { environment });
    expect(verified.exitCode, verified.stderr).toBe(0);
  }
  const digest = (await digestOf(first.project.release))!;
  const kept = await manifestOf(`${first.project.repository}:${digest.replace(':', '-')}.sig`);
  expect((kept as { layers?: unknown[] }).layers, 'one signature for each name').toHaveLength(2);
  expect(await leftOvers(stack)).toEqual([]);
});
