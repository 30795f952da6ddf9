import { describe, expect, it } from 'vitest';
import { builderMessage, classifyBuilder } from '../../../../../activities/tools/builder/classify.ts';
import type { FailureKind } from '../../../../../model/failure/failures.ts';

describe('classifyBuilder', () => {
  it.each<[FailureKind, number, string]>([
    ['not-bootc', 1, 'error: cannot build manifest: image localhost/bib:debian is not a bootc image'],
    [
      'builder-configuration',
      1,
      'error: cannot build manifest: cannot detect build types [foo]: unsupported image type "foo", valid ' +
        'types are ami',
    ],
    ['builder-configuration', 1, 'cannot mix ISO/disk images in request [iso qcow2]'],
    [
      'builder-configuration',
      1,
      'cannot read config: cannot decode "/config.toml": unknown keys found: [customizations.frob]',
    ],
    [
      'builder-configuration',
      1,
      'cannot read config: found "config.json" and also "config.toml", only a single one is supported',
    ],
    [
      'builder-configuration',
      1,
      'failed to set default rootfs for bootc distro: unknown or unsupported filesystem type name: zfs',
    ],
    ['builder-configuration', 1, 'no default root filesystem type specified in container'],
    ['builder-configuration', 1, "Export pxe not found in ['qcow2']"],
    ['builder-configuration', 1, 'error: unknown flag: --frobnicate'],
    ['builder-configuration', 1, "error: min-free-space-percent '3%' would be exceeded"],
    [
      'builder-configuration',
      1,
      'cannot generate manifest: error reading disk customizations: invalid partitioning customizations: ' +
        'unknown or invalid filesystem type (fs_type) for mountpoint "/data": zfs',
    ],
    [
      'builder-configuration',
      1,
      'cannot generate manifest: the following custom files are not allowed: ["/usr/bin/x"]',
    ],
    ['host-setup', 1, 'cannot validate the setup: this command requires a privileged container'],
    ['host-setup', 1, 'could not access container storage, did you forget -v /var/lib/containers/storage'],
    ['host-setup', 1, 'cannot build manifest: failed to inspect the image: Error: a/b:1: image not known'],
    ['host-setup', 1, 'Error: layer not known'],
    ['disk-full', 1, 'cp: error writing: No space left on device\nerror: cannot run osbuild: exit status 1'],
    ['loop-device', 1, 'cannot set blocksize 512 on block device /dev/loop3: Inappropriate ioctl for device'],
    ['loop-device', 1, 'losetup: cannot find an unused loop device'],
    ['out-of-memory', 1, 'error: cannot run osbuild: error running osbuild: signal: killed'],
    ['out-of-memory', 137, ''],
    ['container-lost', 143, 'Building manifest-qcow2.json'],
    ['container-lost', 2, 'Building manifest-qcow2.json'],
    ['builder', 2, 'panic: runtime error: index out of range\n\ngoroutine 1 [running]:'],
    ['registry', 1, 'Curl error (6): Could not resolve hostname\nCould not resolve host: mirror.example.org'],
    ['registry', 1, 'reading blob: unexpected EOF'],
    ['builder', 1, `connection refused\n${'line\n'.repeat(60)}error: cannot run osbuild: exit status 1`],
    ['builder', 1, 'error: cannot run osbuild: error running osbuild: exit status 1'],
    ['builder', 127, 'exec: "build": executable file not found'],
  ])('%s (%d): %s', (kind, exitCode, output) => {
    expect(classifyBuilder(output, exitCode).kind).toBe(kind);
  });

  it('finds its words among those of the nested podman', () => {
    const output =
      'time="2026" level=error msg="Refreshing container 0123: acquiring lock 0 for container: file exists"\n' +
      '2026/03/01 10:00:00 error: cannot build manifest: image quay.io/a/b:1 is not a bootc image';
    expect(classifyBuilder(output, 1).kind).toBe('not-bootc');
    expect(builderMessage(output.split('\n'), 5)).not.toContain('Refreshing');
  });

  it('keeps the telling line among what osbuild and QEMU print at every end', () => {
    const cause = 'useradd: group operator exists - if you want to add this user to that group, use -g.';
    const farewell = [
      ...Array.from(
        { length: 17 },
        (_, index) => `mount/data${index} (/dev/loop${index}) umount: /run/osbuild/mount/data${index} unmounted`,
      ),
      '⏱  Duration: 4.57s',
      'qemu-system-x86_64: terminating on signal 15 from pid 41 (virtiofsd)',
    ];
    const said = [
      cause,
      'subprocess.CalledProcessError: Command returned non-zero exit status 9.',
      ...farewell,
      'manifest - failed',
    ];
    expect(builderMessage(said, 3).split('\n')).toEqual([cause, said[1], 'manifest - failed']);
  });
});
