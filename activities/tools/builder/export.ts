/** The pipelines of osbuild/images whose trees osbuild exports, each into a directory of its name. */
import type { DiskType } from '../../../model/spec/disk.ts';

const EXPORTS: Record<DiskType, string> = {
  ami: 'image',
  'anaconda-iso': 'bootiso',
  'bootc-installer': 'bootiso',
  gce: 'gce',
  iso: 'bootiso',
  ova: 'archive',
  'pxe-tar-xz': 'xz',
  qcow2: 'qcow2',
  raw: 'image',
  vhd: 'vpc',
  vmdk: 'vmdk',
};

/** The export that holds a disk type's file, the same in all builders made of osbuild/images. */
export function exportOf(type: DiskType): string {
  return EXPORTS[type];
}
