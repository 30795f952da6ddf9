/** A context on its whole way: what the published image holds of it, and what counts as a change. */
import { execFileSync } from 'node:child_process';
import { link, lstat, mkdtemp, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const { environment, registry } = sharedStack();
const bytes = (directory: string, name: string) =>
  Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]);
const TIME = new Date('2026-01-02T03:04:05Z');

const tools = `${registry}/test/context-tools:1`;

let project: Project;
let fresh: string;
beforeAll(async () => {
  project = await makeProject({
    registry,
    name: 'context-whole',
    image: { tagPolicy: 'move', containerfile: 'Containerfile.in' },
    spec: { rebuild: 'when-changed' },
    files: { 'data/0': 'linked', tool: '', 'drop.pem': 'left out', 'app/conf/wanted': 'w', 'app/conf/other': 'o' },
  });
  const { directory } = project;
  // Reached through what the file includes, an argument and --from: nothing but podman knows of it.
  await pushTools(`${registry}/flightline/debian-base:trixie`);
  await project.write('Containerfile.in', `ARG TOOLS=${tools}\n#include "parts/base.in"\nCOPY . /usr/share/c/\n`);
  const base = [`FROM ${registry}/flightline/debian-base:trixie`, 'ARG TOOLS'];
  await project.write('parts/base.in', [...base, 'COPY --from=${TOOLS} /etc/os-release /usr/share/t', ''].join('\n'));
  await project.write('Containerfile.in.containerignore', 'drop.pem\napp\n!app/conf/wanted\n');
  await project.write('.containerignore', 'data\n');
  await link(join(directory, 'data/0'), join(directory, 'data/1'));
  execFileSync('setcap', ['cap_net_raw=ep', join(directory, 'tool')]);
  await writeFile(bytes(directory, 'caf\xe9'), 'latin');
  await symlink(Buffer.from('../../../to/\xff', 'latin1'), bytes(directory, 'climbs'));
  await utimes(join(directory, 'data/0'), TIME, TIME);
  fresh = await mkdtemp(join(tmpdir(), 'flightline-fresh-'));
});
afterAll(async () => {
  await project?.remove();
  if (fresh) await rm(fresh, { recursive: true, force: true });
});

/** Gives the name of the image with tools to another. */
async function pushTools(image: string): Promise<void> {
  const flags = ['--insecure-policy', 'copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false'];
  await execa('skopeo', [...flags, `docker://${image}`, `docker://${tools}`]);
}

it('arrives in the image as podman would have copied it', async () => {
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { image, inputs } = recordFrom(outcome);
  expect(inputs!.base).toContainEqual({ reference: tools, digest: await digestOf(tools) });
  const name = `${project.repository}@${image!.digest}`;
  await execa('podman', ['pull', '--quiet', '--tls-verify=false', name]);
  try {
    const { stdout: root } = await execa('podman', ['image', 'mount', name]);
    const copied = join(root, 'usr/share/c');
    expect((await readdir(copied, 'latin1')).sort()).toEqual([
      '.containerignore',
      'Containerfile',
      'Containerfile.in',
      'Containerfile.in.containerignore',
      'app',
      'caf\xe9',
      'climbs',
      'data',
      'flightline.yaml',
      'parts',
      'tool',
    ]);
    expect(await readdir(join(copied, 'app/conf'))).toEqual(['wanted']);
    expect(await readlink(join(copied, 'climbs'), 'latin1')).toBe('../../../to/\xff');
    const [first, second] = [await lstat(join(copied, 'data/0')), await lstat(join(copied, 'data/1'))];
    expect(second.ino).toBe(first.ino);
    expect(first.mtime).toEqual(TIME);
    expect(execFileSync('getcap', [join(copied, 'tool')], { encoding: 'utf8' })).toContain('cap_net_raw=ep');
  } finally {
    await execa('podman', ['image', 'unmount', '--force', name], { reject: false });
    await execa('podman', ['rmi', '--force', name], { reject: false });
  }
});

it('is no change in a fresh clone, whose times are others, and is one with another byte', async () => {
  await execa('cp', ['--archive', '--no-preserve=timestamps', `${project.directory}/.`, fresh]);
  const run = async () =>
    recordFrom(await runFlightline(['run', join(fresh, 'flightline.yaml'), '--json'], { environment }));
  expect(await run()).toMatchObject({ status: 'unchanged' });
  await writeFile(join(fresh, 'data/0'), 'other');
  const before = await digestOf(tools);
  await pushTools(`${registry}/flightline/debian-builder:1`);
  const { status, reason, inputs } = await run();
  expect({ status, reason }).toEqual({
    status: 'released',
    reason: expect.stringMatching(
      /^context sha256:\S+ → sha256:\S+; base \S+\/test\/context-tools:1 sha256:/,
    ) as string,
  });
  const used = { reference: tools, digest: await digestOf(tools) };
  expect(used.digest).not.toBe(before);
  expect(inputs!.base).toContainEqual(used);
  const { stdout } = await runFlightline(['status', project.release], { environment });
  expect(stdout.replaceAll(/ +/g, ' ')).toContain(`base: ${tools} ${used.digest}`);
});
