/**
 * What `flightline init` writes is released as it is: for vSphere, for OpenShift Virtualization, and for bare metal
 * with early binding.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { logInFlightctl, STAND_IN_FLIGHTCTL } from '../support/stand-in-flightctl.ts';
import { fileInImage } from './image-content.ts';

let scratch: string;
let stack: TestStack;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-init-test-'));
  const { directory: configDirectory } = await logInFlightctl(join(scratch, 'flightctl'));
  stack = await startTestStack({
    configure: (configuration) => {
      const { repositories } = configuration.keys['release']!;
      const flightctl = { configDirectory, program: STAND_IN_FLIGHTCTL, repositories, requestTimeout: 60 };
      return { ...configuration, flightctl };
    },
  });
});
afterAll(async () => {
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

/** Writes a project, checks it strictly, and releases it. */
async function released(target: string, binding: string): Promise<ReleaseRecord> {
  const { environment, registry } = stack;
  const flightline = async (...args: string[]) => {
    const ended = await runFlightline(args, { environment });
    expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
    return ended;
  };
  const directory = join(scratch, target);
  const repository = `${registry}/test/init-${target}`;
  const flags = ['--target', target, '--base', 'debian-example', '--binding', binding, '--repository', repository];
  await flightline('init', directory, ...flags);
  const spec = join(directory, 'flightline.yaml');
  await flightline('lint', spec, '--strict');
  return recordFrom(await flightline('run', spec, '--strict', '--json'));
}

it('for vSphere', async () => {
  expect(await released('vsphere', 'late')).toMatchObject({
    status: 'released',
    image: { verified: true },
    disks: [{ type: 'vmdk', form: 'artifact', verified: true }],
  });
});

it('for OpenShift Virtualization', async () => {
  expect(await released('openshift-virtualization', 'late')).toMatchObject({
    status: 'released',
    image: { verified: true },
    disks: [{ type: 'qcow2', form: 'container-disk', verified: true }],
  });
});

it('for bare metal with the enrollment certificate in the image', async () => {
  const record = await released('bare-metal', 'early');
  expect(record).toMatchObject({ status: 'released', disks: [{ type: 'iso', form: 'artifact', verified: true }] });
  const file = await fileInImage(record.image.reference!, 'etc/flightctl/config.yaml');
  expect(file).toMatchObject({ mode: '-rw-------' });
});
