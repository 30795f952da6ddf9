/** What `flightline boot` tells QEMU of a file. */
import { expect, it } from 'vitest';
import { bootableType } from '../../../../client/fetch/disk-type.ts';

it.each([
  ['disks/disk.qcow2', undefined, 'qcow2'],
  ['disk.raw', undefined, 'raw'],
  ['disk.img', undefined, 'raw'],
  ['install.iso', 'bootc-installer', 'iso'],
  ['disk.vmdk', undefined, 'vmdk'],
  ['disk.vhd', undefined, 'vhd'],
  ['disk', 'vmdk', 'vmdk'],
] as const)('%s (--type %s) is %s', (path, named, type) => expect(bootableType(path, named)).toBe(type));

it.each([
  ['d/disk.raw.gz', 'raw', 'd/disk.raw.gz is compressed', 'gunzip d/disk.raw.gz, then flightline boot d/disk.raw'],
  ['disk.raw.zst', undefined, 'disk.raw.zst is compressed', 'unzstd disk.raw.zst, then flightline boot disk.raw'],
  ['disk', undefined, 'the name of disk tells no type of disk', 'say which with --type, such as qcow2'],
  ['image.ova', 'ova', 'ova is an archive, which does not boot', 'name a disk: qcow2, raw, vmdk, iso'],
] as const)('%s is refused', (path, named, message, remedy) => {
  expect(() => bootableType(path, named)).toThrow(expect.objectContaining({ message, remedy, exitCode: 2 }));
});
