/** As dry-run.test.ts: what the builder itself says of a release whose image is here. */
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { runFlightline } from '../support/flightline.ts';
import { makeProject } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { everything, look } from './dry-run-look.ts';

const stack = sharedStack();
const PASSWORD = '$6$salt$a-hash-that-nobody-may-see';
/** The same in the form of before 2024. */
const config = (more = {}) =>
  JSON.stringify({ blueprint: { customizations: { user: [{ name: 'alice', password: PASSWORD }], ...more } } });

it(
  'asks the builder itself once an image of the same inputs is here, and says when nothing would be ' + 'built',
  async () => {
    const project = await makeProject({
      registry: stack.registry,
      name: 'dry-again',
      // An image that no other test builds.
      lines: ['RUN echo dry-again > /usr/share/mark'],
      disks: [{ type: 'qcow2', publish: 'container-disk' }, { type: 'vmdk' }],
      spec: {
        builder: { image: `${stack.registry}/flightline/debian-builder:1`, rootfs: 'ext4', config: 'config.json' },
      },
      files: { 'config.json': config(), '.containerignore': 'config.json\nflightline.yaml\n' },
    });
    const released = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
    expect(released.exitCode, released.stderr).toBe(0);
    const same = await look(stack, project);
    expect(same.exitCode, same.said).toBe(0);
    expect(same.plan).toMatchObject({ outcome: 'unchanged', stages: [] });

    const before = await everything(stack, project);
    const again = await look(stack, project, '--tag', 'v2');
    expect(again.exitCode, again.said).toBe(0);
    expect(again.plan.checks.at(-1)).toMatchObject({ name: 'builder manifest qcow2+vmdk', status: 'ok' });
    expect(again.plan.checks.at(-1)!.detail).toMatch(/^\d+ stages$/);

    // What only the builder knows: it applies no file system but the root's.
    await project.write('config.json', config({ filesystem: [{ mountpoint: '/var/data', minsize: '1 GiB' }] }));
    const warned = await look(stack, project, '--tag', 'v2');
    expect(warned.plan.checks.at(-1)).toMatchObject({ status: 'warning' });
    expect(warned.plan.checks.at(-1)!.detail).toContain('customizations.filesystem: not supported');

    // And what it refuses.
    await project.write(
      'flightline.yaml',
      (await readFile(project.spec, 'utf8')).replace('rootfs: ext4', 'rootfs: btrfs'),
    );
    await project.write('config.json', config());
    const refused = await look(stack, project, '--tag', 'v2');
    expect(refused.exitCode).toBe(1);
    expect(refused.plan.checks.at(-1)).toMatchObject({ status: 'failed' });
    expect(refused.plan.checks.at(-1)!.detail).toContain('unsupported filesystem type name: btrfs');
    expect(refused.said + warned.said + again.said).not.toContain(PASSWORD);
    expect(await everything(stack, project)).toEqual(before);
    await project.remove();
  },
);
