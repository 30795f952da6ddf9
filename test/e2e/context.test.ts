/** A context on its whole way: what the published image holds of it, and what counts as a change. */
import { execFileSync } from 'node:child_process';
import { link, lstat, mkdtemp, readdir, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';

const { environment, registry } = sharedStack();
const bytes = (directory: string, name: string) =>
  Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')]);
const TIME = new Date('2026-01-02T03:04:05Z');

let project: Project;
let fresh: string;
beforeAll(async () => {
  project = await makeProject({
    registry,
    name: 'context-whole',
    lines: ['COPY . /usr/share/c/'],
    image: { tagPolicy: 'move' },
    spec: { rebuild: 'when-changed' },
    files: { 'data/0': 'linked', tool: '', 'drop.pem': 'left out', 'app/conf/wanted': 'w', 'app/conf/other': 'o' },
  });
  const { directory } = project;
  await project.write('Containerfile.containerignore', 'drop.pem\napp\n!app/conf/wanted\n');
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

it('arrives in the image as podman would have copied it', async () => {
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { image } = recordFrom(outcome);
  const name = `${project.repository}@${image!.digest}`;
  await execa('podman', ['pull', '--quiet', '--tls-verify=false', name]);
  try {
    const { stdout: root } = await execa('podman', ['image', 'mount', name]);
    const copied = join(root, 'usr/share/c');
    expect((await readdir(copied, 'latin1')).sort()).toEqual([
      '.containerignore',
      'Containerfile',
      'Containerfile.containerignore',
      'app',
      'caf\xe9',
      'climbs',
      'data',
      'flightline.yaml',
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
  expect(await run()).toMatchObject({ status: 'released' });
});
