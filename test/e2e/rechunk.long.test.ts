/**
 * `image.rechunk` with the real podman, skopeo and registry: other layers, the same configuration, and updates that
 * cost less. The program is a stand-in with the command line of chunkah, which is in no package registry; with
 * FLIGHTLINE_CHUNKAH, the path of its binary, it is chunkah itself.
 */
import { randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createWriteStream } from 'node:fs';
import { execa } from 'execa';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { tinyProgram } from '../../activities/tools/podman/container/tiny-program.ts';
import { architectureOf } from '../../model/base/host.ts';
import { INPUTS_LABEL } from '../../model/oci/labels.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { usePrivateContainersConf } from '../support/tools.ts';

const undo: (() => Promise<unknown>)[] = [];
/** Bytes of what every version of the base has, which nothing compresses. */
const LARGE = randomBytes(3_000_000);
let stack: TestStack;
let directory: string;

beforeAll(async () => {
  undo.push(await usePrivateContainersConf());
  directory = await mkdtemp(join(tmpdir(), 'flightline-rechunk-'));
  undo.push(() => rm(directory, { recursive: true, force: true }));
  stack = await startTestStack({
    configure: (configuration) => ({
      ...configuration,
      rechunkers: [`${configuration.keys['release']!.repositories[0]}/test/chunkah`],
    }),
  });
  undo.push(() => stack.end());
  const program = process.env['FLIGHTLINE_CHUNKAH'] ?? join(import.meta.dirname, '../support/rechunker/chunkah');
  await copyFile(program, join(directory, 'chunkah'));
  const builder = `${stack.registry}/flightline/debian-builder:1`;
  const lines = [`FROM ${builder}`, 'COPY --chmod=755 chunkah /usr/bin/chunkah', 'ENTRYPOINT ["/usr/bin/chunkah"]', ''];
  await writeFile(join(directory, 'Containerfile'), lines.join('\n'));
  const name = 'localhost/flightline-test/chunkah:1';
  await execa('podman', ['build', '--quiet', '--tls-verify=false', '--tag', name, directory]);
  await execa('podman', ['push', '--quiet', '--tls-verify=false', name, `${stack.registry}/test/chunkah:1`]);
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Pushes a base of one layer, most of which is the same each time. */
async function pushBase(version: string): Promise<string> {
  const archive = join(directory, 'base.tar');
  const tar = pack();
  const mtime = new Date('2026-01-01T00:00:00Z');
  // Without them podman makes these at another time for each image, and they are in every layer.
  for (const name of ['bin', 'usr', 'usr/lib', 'usr/share']) tar.entry({ name, type: 'directory', mtime });
  tar.entry({ name: 'bin/sh', mode: 0o755, mtime }, tinyProgram(architectureOf(process.arch)!));
  // By these chunkah knows what belongs together, where there are no packages.
  const pax = (component: string) => ({ 'SCHILY.xattr.user.component': component });
  tar.entry({ name: 'usr/lib/large', mtime, pax: pax('large') }, LARGE);
  tar.entry({ name: 'usr/share/version', mtime, pax: pax('version') }, version);
  tar.finalize();
  await pipeline(tar, createWriteStream(archive));
  const name = `localhost/flightline-test/rechunk-base:${version}`;
  await execa('podman', ['import', '--quiet', '--change', 'LABEL containers.bootc=1', archive, name]);
  const reference = `${stack.registry}/test/rechunk-base:${version}`;
  await execa('podman', ['push', '--quiet', '--tls-verify=false', name, reference]);
  return reference;
}

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
  const rechunk = { image: `${stack.registry}/test/chunkah:1`, tool: 'chunkah' };
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
  const bases = [await pushBase('1'), await pushBase('2')];
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
  expect(costs[0]).toBeGreaterThan(LARGE.length);
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
