/**
 * The servers that a release needs, Temporal and the registry: they go away, and what they were needed for goes on when
 * they are back.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { builderContainers, containersCreated, leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { startProxiedStack } from '../support/proxied-stack.ts';
import type { TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let stack: TestStack;
let proxy: FaultProxy;
let end: () => Promise<void>;
const projects: Project[] = [];

beforeAll(async () => {
  ({ stack, proxy, end } = await startProxiedStack());
});
afterAll(async () => {
  for (const project of projects) await project.remove();
  await end?.();
});

function serverPid(name: 'temporal' | 'registry'): number {
  return stack.stack.children().find((child) => child.name === name)!.pid;
}

describe('a Temporal server that is killed in the middle of a disk build', () => {
  it('goes on with its database; release and `watch` do so by themselves', async () => {
    const since = Date.now();
    const project = await makeProject({
      registry: stack.registry,
      name: 'server-killed',
      lines: ['LABEL io.flightline.example.builder-seconds=12'],
      disks: [{ type: 'qcow2' }],
    });
    projects.push(project);
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    await eventually('the builder runs', async () => (await builderContainers(stack)).length > 0 || undefined);
    const watching = startFlightline(['watch', project.release], { environment });
    await pause(2_000);
    const before = serverPid('temporal');
    process.kill(before, 'SIGKILL');
    const [ran, watched] = await Promise.all([running, watching]);
    expect(ran.exitCode, String(ran.stderr)).toBe(0);
    expect(watched.exitCode, String(watched.stderr)).toBe(0);
    expect(serverPid('temporal')).not.toBe(before);
    const record = recordFrom({ exitCode: 0, stdout: String(ran.stdout), stderr: '' });
    expect(record.status).toBe('released');
    expect(await containersCreated(stack, since), 'containers that were created').toBe(1);
    expect(await digestOf(project.release)).toBe(record.image.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });
});

describe('a registry', () => {
  /** A project whose names lead through the proxy, with a layer that the registry has never seen. */
  async function proxied(name: string): Promise<Project> {
    const project = await makeProject({
      registry: proxy.address,
      name,
      lines: [`RUN echo ${Date.now()} > /etc/made && head -c 8M /dev/urandom > /var/blob`],
      disks: [],
    });
    projects.push(project);
    return project;
  }

  it('that cuts blobs in their middle and answers 503 is asked again, and the live view says why', async () => {
    const project = await proxied('unreliable');
    const path = project.repository.slice(proxy.address.length + 1);
    const uploads = /^\/v2\/test\/unreliable\/blobs/;
    // The first to ask there is the command itself, which sends the context.
    const away = proxy.inject({ path: /^\/v2\/test\/unreliable\/context\//, what: { status: 502 }, times: 2 });
    const cut = proxy.inject({ method: 'PATCH', path: uploads, what: { cutAfter: 3_000_000 }, times: 2 });
    const manifests = /^\/v2\/test\/unreliable\/manifests/;
    const busy = proxy.inject({ method: 'PUT', path: manifests, what: { status: 503 } });
    const { environment } = stack;
    const running = startFlightline(['run', project.spec, '--json'], { environment });
    let live = '';
    running.stderr.on('data', (chunk: Buffer) => (live += String(chunk)));
    const shown = await eventually('the view says what it waits for', async () => {
      const { stdout } = await runFlightline(['status', project.release], { environment });
      return /^.*\bpush\b.*(?:503|Service Unavailable).*$/m.exec(stdout)?.[0];
    });
    expect(shown).toContain('running');
    expect(await tagsOf(`${stack.registry}/${path}`)).toEqual([]);
    await eventually(
      'the live view says it too',
      async () => /push image: .*(?:503|Service Unavailable)/.test(live) || undefined,
    );
    busy.lift();
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: '' });
    expect(away.hits).toBe(2);
    expect(cut.hits).toBe(2);
    expect(record.stages.find(({ name }) => name === 'push')!.attempts).toBeGreaterThan(1);
    expect(await digestOf(`${stack.registry}/${path}:v1`)).toBe(record.image.digest);
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('that is killed during a push, and hangs during a signature, is only waited for', async () => {
    const project = await proxied('dying');
    const path = project.repository.slice(proxy.address.length + 1);
    const upload = proxy.inject({ method: 'PATCH', path: /^\/v2\/test\/dying\/blobs/, what: 'stall' });
    const signature = proxy.inject({ method: 'PUT', path: /^\/v2\/test\/dying\/manifests\/.*\.sig/, what: 'stall' });
    const running = startFlightline(['run', project.spec, '--json'], { environment: stack.environment });
    await eventually('a layer is sent', async () => upload.hits > 0 || undefined);
    const killed = serverPid('registry');
    process.kill(killed, 'SIGKILL');
    upload.lift();
    await eventually('the signature is sent', async () => signature.hits > 0 || undefined);
    const hanging = serverPid('registry');
    expect(hanging).not.toBe(killed);
    process.kill(hanging, 'SIGSTOP');
    try {
      signature.lift();
      await pause(3_000);
    } finally {
      process.kill(hanging, 'SIGCONT');
    }
    const result = await running;
    expect(result.exitCode, String(result.stderr)).toBe(0);
    const record = recordFrom({ exitCode: 0, stdout: String(result.stdout), stderr: '' });
    expect(await digestOf(`${stack.registry}/${path}:v1`)).toBe(record.image.digest);
    const tags = await tagsOf(`${stack.registry}/${path}`);
    expect(tags).toEqual([`${record.image.digest!.replace(':', '-')}.sig`, 'v1']);
    expect(await leftOvers(stack)).toEqual([]);
  });
});
