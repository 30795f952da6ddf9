import { describe, expect, it } from 'vitest';
import { builderMessage, classifyBuilder } from '../../../../../activities/tools/builder/classify.ts';
import { builderDriver } from '../../../../../activities/tools/builder/drivers.ts';
import { FAILURES, type FailureKind } from '../../../../../model/failure/failures.ts';

const { errors } = builderDriver('bootc-image-builder');
const others = builderDriver('image-builder').errors;

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
    expect(classifyBuilder(output, exitCode, errors).kind).toBe(kind);
  });

  // As the sources of osbuild/image-builder (cmd, pkg/bootc, pkg/distro), osbuild, bootc and shadow print them.
  it.each<[FailureKind, RegExp, string[]]>([
    [
      'image-unsuitable',
      /dnf/,
      [
        'error: cannot build manifest: no dnf in container',
        'initializing dnf in quay.io/a/b:1 container failed: exit status 127',
      ],
    ],
    [
      'image-unsuitable',
      /usr\/lib\/modules/,
      [
        'cannot generate manifest: could not read kernel info from container',
        'error: cannot build manifest: no valid kernel modules directory',
      ],
    ],
    [
      'image-unsuitable',
      /bootc that works/,
      [
        'failed to run bootc install print-configuration: exit status 127, output:',
        'failed to run bootc container inspect: exit status 2, output:',
        'Error: crun: executable file `bootc` not found in $PATH: No such file or directory',
        '/bin/sh: line 1: bootc: command not found',
      ],
    ],
    ['image-unsuitable', /os-release/, ['missing VERSION_ID in os-release', 'missing required info: os-release ID']],
    [
      'image-unsuitable',
      /initramfs/,
      [
        'bootc container initramfs requires ostree, dmsquash-live and livenet modules',
        'failed to run lsinitrd --mod --kver 6.12: exit status 1, output:',
      ],
    ],
    [
      'image-unsuitable',
      /bootupd/,
      [
        'cannot find UEFI vendor in /boot/efi/EFI',
        'ERROR Installing to filesystem: Installing bootloader: Failed to run "bootupctl": No such file or directory',
      ],
    ],
    [
      'image-unsuitable',
      /SELinux/,
      [
        'cannot read selinux config /etc/selinux/config: EOF',
        'ERROR Installing to filesystem: SELinux enabled, but no policy found in root',
        'setfiles: /tree/etc/selinux/targeted/contexts/files/file_contexts: No such file or directory',
      ],
    ],
    [
      'image-unsuitable',
      /Containerfile|base/,
      [
        'image found is for unexpected architecture "arm64" (expected "x86_64"), if that is intentional, please',
        'requested bootc arch "aarch64" does not match available arches [x86_64]',
      ],
    ],
    [
      'builder-configuration',
      /rootfs/,
      [
        'cannot get rootfs type for container: exit status 1',
        'no default root filesystem type specified in container, please use "--rootfs" to set manually',
        'ERROR Installing to filesystem: No root filesystem specified',
        'error: No install configuration found, and no filesystem specified',
      ],
    ],
    [
      'builder-configuration',
      /users and groups/,
      [
        'useradd: group operator exists - if you want to add this user to that group, use -g.',
        'useradd: UID 1000 is not unique\nmanifest - failed',
        "useradd: group 'wheels' does not exist",
        "groupadd: GID '10' already exists",
        "usermod: group 'x' does not exist",
        "Error: can't set uid of existing user 'core'",
        'user name "A b" doesn\'t conform to validating regex (^[a-z])',
        'user ID must be non-negative',
      ],
    ],
    [
      'builder-configuration',
      /./,
      [
        'the following custom directories are not allowed: ["/opt/x"]',
        'the following errors occurred while validating custom mountpoints:\npath "/var" is not allowed',
        'qcow2: customizations.disk cannot be used with customizations.filesystem',
        'qcow2: customizations.fdo.manufacturing_server_url: required when using fdo',
        'cannot combine disk and filesystem customizations',
        'cannot use disk customization: invalid partition table type: mbr',
        'error creating lvm partition "data": maximum number of partitions reached (4)',
        'error creating root logical volume: no default filesystem type',
        'lvm partitioning mode set for a base partition table with LVM, this is unsupported',
        'unsupported partitioning mode "striped"',
        'entity 1 in the path from / is smaller (1024) than the requested minsize 2048',
        'unsupported root filesystem type: zfs, supported: ext4, xfs, btrfs',
        'error decoding size: unknown data size units in string: 1 GGB',
        'kickstart users and/or groups are not compatible with user-supplied kickstart content',
        'firstboot name "a/b" is invalid: must be a simple filename without path separators',
        'cannot build iso for different target arches yet',
        "can't decode Ignition config",
        'chown permission check failed for the output directory',
        'unsupported file extension for "/x.yaml"',
        'no installer payload bootc ref set',
      ],
    ],
    // A warning, with which bib goes on, is not what it failed of.
    [
      'builder',
      /^$/,
      [
        'blueprint validation failed for image type "qcow2": customizations.hostname: not supported\nerror: it broke',
        'useradd: warning: the home directory /var/home/core already exists.\nerror: cannot run osbuild: exit status 1',
      ],
    ],
  ])('%s, remedy %s', (kind, remedy, texts) => {
    for (const text of texts) {
      const verdict = classifyBuilder(`Manifest generation step\n${text}`, 1, errors);
      expect(verdict.kind, text).toBe(kind);
      const said = verdict.remedy ?? '';
      if (kind === 'builder') expect(said).toBe('');
      else expect(said || FAILURES[kind].action, text).toMatch(remedy);
    }
  });

  it.each<[FailureKind, RegExp, string]>([
    [
      'builder-configuration',
      /./,
      'error: Warnings during manifest creation:\nblueprint validation failed for image type "qcow2": customizations.x',
    ],
    ['builder-configuration', /./, 'error: cannot decode "/config.json": json: unknown field "frob"'],
    [
      'builder-configuration',
      /builder\.driver/,
      'error: image type bootc "anaconda-iso" is not supported with image-builder, please consider switching',
    ],
    ['builder-configuration', /builder\.arguments/, 'error: unknown flag: --in-vm'],
    ['host-setup', /./, 'error: entrypoint setup failed: exit status 1'],
    ['image-unsuitable', /bootc that works/, 'error: failed to run bootc install print-configuration: exit status 127'],
  ])('of image-builder: %s, remedy %s: %s', (kind, remedy, text) => {
    const verdict = classifyBuilder(text, 1, others);
    expect(verdict.kind).toBe(kind);
    expect(verdict.remedy ?? FAILURES[kind].action).toMatch(remedy);
  });

  it.each<[boolean, string]>([
    [true, 'cannot generate manifest: the following custom files are not allowed: ["/usr/bin/x"]'],
    [true, 'cannot read config: cannot decode "/config.toml": unknown keys found: [customizations.frob]'],
    [true, 'error: unknown flag: --frobnicate'],
    [false, 'no default root filesystem type specified in container'],
    [false, 'lvm partitioning mode set for a base partition table with LVM, this is unsupported'],
    [false, 'cannot build manifest: no dnf in container'],
    [false, 'Error: layer not known'],
  ])('blames the request, whatever the image: %s: %s', (expected, text) => {
    expect(classifyBuilder(text, 1, errors).ofRequest ?? false).toBe(expected);
  });

  it('finds its words among those of the nested podman', () => {
    const output =
      'time="2026" level=error msg="Refreshing container 0123: acquiring lock 0 for container: file exists"\n' +
      '2026/03/01 10:00:00 error: cannot build manifest: image quay.io/a/b:1 is not a bootc image';
    expect(classifyBuilder(output, 1, errors).kind).toBe('not-bootc');
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

  it('leaves out where in osbuild an exception was raised', () => {
    const cause = 'useradd: group operator exists - if you want to add this user to that group, use -g.';
    const frames = Array.from({ length: 12 }, (_, index) => [
      `  File "/usr/lib/python3.14/site-packages/osbuild/stage.py", line ${index}, in main`,
      '    r = subprocess.run(["useradd"])',
      '        ^^^^^^^^^^^^^^^^^^^^^^^^^^^',
    ]).flat();
    const exception = "subprocess.CalledProcessError: Command '['useradd']' returned non-zero exit status 9.";
    const said = [cause, 'Traceback (most recent call last):', ...frames, exception, '', 'manifest - failed', 'Failed'];
    expect(builderMessage(said, 25).split('\n')).toEqual([cause, exception, 'manifest - failed', 'Failed']);
  });
});
