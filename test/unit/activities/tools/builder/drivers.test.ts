import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { manifestArguments } from '../../../../../activities/tools/builder/builder.ts';
import type { BuilderRequest } from '../../../../../activities/tools/builder/driver.ts';
import { builderDriver } from '../../../../../activities/tools/builder/drivers.ts';
import { NO_PROGRESS } from '../../../../../activities/tools/builder/progress.ts';
import { BUILDER_DRIVERS } from '../../../../../model/builder/builder-driver.ts';
import { DISK_TYPE_NAMES } from '../../../../../model/spec/disk.ts';

const FOLDERS = join(import.meta.dirname, '../../../../../activities/tools/builder/drivers');

const request: BuilderRequest = {
  image: 'quay.io/acme/edge:1',
  installer: null,
  types: ['vhd'],
  rootfs: 'xfs',
  architecture: 'arm64',
  config: { path: '/w/config.toml', format: 'toml' },
  options: { arguments: { inVm: true, useLibrepo: false, seed: 7, defaultKernelArguments: false } },
};

it('a driver is a folder of its name', () => {
  expect(readdirSync(FOLDERS).sort()).toEqual([...BUILDER_DRIVERS].sort());
});

describe.each(BUILDER_DRIVERS)('%s', (name) => {
  const driver = builderDriver(name);

  it('names the image and what is asked for in both commands', () => {
    for (const words of [driver.arguments.build(request), driver.arguments.manifest(request)]) {
      expect(words.join(' ')).toContain('quay.io/acme/edge:1');
      expect(words.join(' ')).toContain('vhd');
      expect(words.join(' ')).toMatch(/ --(target-)?arch=arm64/);
    }
  });

  it('asks for nothing that a spec does not ask for', () => {
    const plain = { ...request, rootfs: null, architecture: null, config: null, options: {} };
    for (const words of [driver.arguments.build(plain), driver.arguments.manifest(plain)]) {
      expect(words.join(' ')).not.toMatch(/xfs|arch|config|in-vm|librepo|seed|kernel/);
    }
  });

  it('finds the file of each type below its output, and manifests apart', () => {
    for (const type of DISK_TYPE_NAMES) {
      const path = `${driver.results.directory(type)}/disk.x`;
      expect(path).toMatch(/^[a-z0-9-]+\/disk\.x$/);
      expect(driver.results.isManifest(path)).toBe(false);
    }
  });

  it('takes no line that it does not know for a step', () => {
    expect(driver.progress.advance(NO_PROGRESS, 'Some other line')).toEqual(NO_PROGRESS);
  });
});

describe.each([
  ['bootc-image-builder', 'manifest-qcow2.json', 'Disk image building step'],
  ['image-builder', 'qcow2/disk.osbuild-manifest.json', 'Image building step'],
] as const)('%s runs osbuild', (name, manifest, step) => {
  const { progress, results } = builderDriver(name);

  it('whose exports are directories', () => {
    expect(results.directory('vhd')).toBe('vpc');
    expect(results.isManifest(manifest)).toBe(true);
  });

  it('and shows its own steps before, and the stages then', () => {
    for (const line of ['Manifest generation step', step]) expect(progress.advance(NO_PROGRESS, line).step).toBe(line);
    expect(progress.advance(NO_PROGRESS, `org.osbuild.qemu: ${'0'.repeat(64)} {}`).step).toBe('org.osbuild.qemu');
  });
});

describe('the command line of bootc-image-builder', () => {
  const { build, manifest } = builderDriver('bootc-image-builder').arguments;

  it('has the flags of a build in the manifest command too', () => {
    const platform = '--target-arch=arm64';
    const flags = ['--type=vhd', '--rootfs=xfs', platform, '--in-vm=true', '--use-librepo=false', '--seed=7'];
    const all = [...flags, '--no-default-kernel-args', 'quay.io/acme/edge:1'];
    expect(build(request)).toEqual(['build', '--progress=verbose', ...all]);
    expect(manifest(request)).toEqual(['manifest', ...all]);
  });

  it('boots from the installer, and installs the image', () => {
    const asked = { ...request, types: ['bootc-installer'] as const, installer: 'localhost/i:1', options: {} };
    const all = [
      '--type=bootc-installer',
      '--rootfs=xfs',
      '--target-arch=arm64',
      '--installer-payload-ref=quay.io/acme/edge:1',
      'localhost/i:1',
    ];
    expect(manifest(asked)).toEqual(['manifest', ...all]);
    expect(build(asked)).toEqual(['build', '--progress=verbose', ...all]);
  });
});

describe('the command line of image-builder', () => {
  const { build, manifest } = builderDriver('image-builder').arguments;
  const shared = [
    '--bootc-ref=quay.io/acme/edge:1',
    '--bootc-default-fs=xfs',
    '--arch=arm64',
    '--blueprint=/config.toml',
    '--use-librepo=false',
    '--seed=7',
    '--bootc-no-default-kernel-args',
    'vhd',
  ];

  it('names the output and the virtual machine in a build only', () => {
    expect(build(request)).toEqual([
      'build',
      '--progress=verbose',
      '--output-dir=/output/vpc',
      '--output-name=disk',
      '--with-manifest',
      '--in-vm=true',
      ...shared,
    ]);
    expect(manifest(request)).toEqual(['manifest', ...shared]);
  });

  it('is given to podman after the image of the builder, the configuration before', () => {
    const given = { name: 'n', builder: 'quay.io/b/ib@sha256:1', driver: 'image-builder', graphRoot: '/s' } as const;
    const asked = manifestArguments({ ...request, ...given });
    expect(asked.slice(asked.indexOf(given.builder) + 1)).toEqual(['manifest', ...shared]);
    expect(asked.indexOf('/w/config.toml:/config.toml:ro')).toBeLessThan(asked.indexOf(given.builder));
  });

  it('boots from the installer, and installs the image', () => {
    const asked = { ...request, types: ['bootc-installer'] as const, installer: 'localhost/i:1', rootfs: null };
    const words = ['--bootc-ref=localhost/i:1', '--bootc-installer-payload-ref=quay.io/acme/edge:1'];
    for (const all of [build(asked), manifest(asked)]) expect(all).toEqual(expect.arrayContaining(words));
  });

  it('makes one type', () => {
    expect(() => build({ ...request, types: ['qcow2', 'vmdk'] })).toThrow('one disk type');
  });
});
