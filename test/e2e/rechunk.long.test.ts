/**
 * `image.rechunk` with the real podman, skopeo and registry: other layers, the same configuration, and updates that
 * cost less.
 */
import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { INPUTS_LABEL } from '../../model/oci/labels.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { allowRechunker, pushBase, pushRechunker } from '../support/rechunker/push.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const undo: (() => Promise<unknown>)[] = [];
/** Bytes of what every version of the base has, which nothing compresses. */
const STAYS = randomBytes(3_000_000);
let stack: TestStack;
let rechunk: Awaited<ReturnType<typeof pushRechunker>>;

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  stack = await startTestStack({ configure: allowRechunker });
  undo.push(() => stack.end());
  rechunk = await pushRechunker(stack.registry);
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function release(project: Project, tag: string, base: string): Promise<ReleaseRecord> {
  await project.write('Containerfile', `FROM ${base}\nENV MODE=camera\nLABEL team=edge\n`);
  const outcome = await flightline('run', project.spec, '--tag', tag, '--json');
  if (outcome.exitCode !== 4) {
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return recordFrom(outcome);
  }
  // An update that costs more than maxUpdate: nothing has moved.
  const { failure } = recordFrom(outcome);
  expect(failure?.kind).toBe('approval-needed');
  expect(failure?.message).toMatch(/fetch .*, more than 1\S* MB \(maxUpdate\)/);
  const name = `${project.repository}:${tag}`;
  expect(await tagsOf(project.repository)).not.toContain(tag);
  expect(await digestOf(`${project.repository}:latest`)).toBe(await digestOf(`${project.repository}:v1`));
  expect((await flightline('approve', name, '--comment', 'a new base')).exitCode).toBe(0);
  const approved = recordFrom(await flightline('watch', name, '--json'));
  expect(approved).toMatchObject({ status: 'released', approval: { comment: 'a new base' } });
  expect(await digestOf(`${project.repository}:latest`)).toBe(approved.image.digest);
  return approved;
}

const flightline = (...args: string[]) => runFlightline(args, { environment: stack.environment });

const configOf = async (reference: string) => {
  const inspect = ['inspect', '--config', '--tls-verify=false', `docker://${reference}`];
  const { stdout } = await execa('skopeo', inspect);
  return JSON.parse(stdout) as {
    config: { Env: string[]; Labels: Record<string, string> };
    rootfs: { diff_ids: string[] };
  };
};

it('rewrites the layers, keeps the configuration, and makes an update cost what has changed', async () => {
  const [plain, chunked] = await Promise.all(
    [{}, { rechunk }].map((image, index) =>
      makeProject({
        registry: stack.registry,
        name: `rechunk-${index}`,
        image: { ...image, alsoTag: ['latest'] },
        spec: { maxUpdate: '1MB' },
      }),
    ),
  );
  undo.push(
    () => plain!.remove(),
    () => chunked!.remove(),
  );
  const base = (version: string) => pushBase(stack.registry, { version, stays: STAYS, changes: version });
  const bases = [await base('1'), await base('2')];
  const costs: number[] = [];
  for (const project of [plain!, chunked!]) {
    await release(project, 'v1', bases[0]!);
    const { image, stages, inputs, approval } = await release(project, 'v2', bases[1]!);
    expect(approval === undefined).toBe(project === chunked);
    const row = stages.find(({ name }) => name === 'rechunk');
    expect(row?.status).toBe(project === chunked ? 'done' : undefined);
    expect(inputs!.rechunker?.reference).toBe(project === chunked ? rechunk.image : undefined);
    costs.push(image.updates![0]!.bytes);
  }
  const [before, after] = await Promise.all([plain!, chunked!].map(({ repository }) => configOf(`${repository}:v2`)));
  expect(after!.config.Env).toEqual(before!.config.Env);
  expect(Object.keys(after!.config.Labels)).toEqual(expect.arrayContaining([INPUTS_LABEL, 'team', 'containers.bootc']));
  expect(after!.rootfs.diff_ids.length).toBeGreaterThan(before!.rootfs.diff_ids.length);
  console.log(`an update costs ${costs[0]} bytes without, and ${costs[1]} with other layers`);
  expect(costs[0]).toBeGreaterThan(STAYS.length);
  expect(costs[1]).toBeLessThan(100_000);
  const verified = await runFlightline(['verify', `${chunked!.repository}:latest`, '--key', stack.publicKey], {
    environment: stack.environment,
  });
  expect(verified.exitCode, verified.stderr).toBe(0);

  // The image has no rpm-ostree, as a program that fails.
  const spec = { ...rechunk, tool: 'rpm-ostree' };
  const failing = await makeProject({ registry: stack.registry, name: 'rechunk-fails', image: { rechunk: spec } });
  undo.push(() => failing.remove());
  await failing.write('Containerfile', `FROM ${bases[0]}\n`);
  const outcome = await runFlightline(['run', failing.spec, '--json'], { environment: stack.environment });
  expect(outcome.exitCode, outcome.stderr).toBe(4);
  expect(recordFrom(outcome).failure).toMatchObject({ kind: 'rechunk', stage: 'rechunk' });
  await runFlightline(['cancel', failing.release], { environment: stack.environment });
});

it('runs no program that the operator does not allow', async () => {
  const image = { rechunk: { image: `${stack.registry}/flightline/debian-builder:1` } };
  const project = await makeProject({ registry: stack.registry, name: 'rechunk-forbidden', image });
  undo.push(() => project.remove());
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  expect(outcome.exitCode).toBe(1);
  expect(recordFrom(outcome).failure).toMatchObject({ kind: 'builder-not-allowed', stage: 'resolve' });
});
