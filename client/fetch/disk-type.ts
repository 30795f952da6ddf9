/** Which type of disk a file is, by its name. Pure. */
import { DISK_TYPES, type DiskType } from '../../model/spec/disk.ts';
import { UserError } from '../terminal/errors.ts';

const BY_ENDING: Readonly<Record<string, DiskType>> = {
  qcow2: 'qcow2',
  raw: 'raw',
  img: 'raw',
  iso: 'iso',
  vmdk: 'vmdk',
  vhd: 'vhd',
};

/**
 * The type that QEMU is told.
 *
 * @param named by --type; what is compressed is none of it
 * @throws UserError `usage` for a file that does not boot as it is
 */
export function bootableType(path: string, named: DiskType | undefined): DiskType {
  const ending = path.slice(path.lastIndexOf('.') + 1);
  if (ending === 'gz' || ending === 'zst' || ending === 'xz') {
    const unpack = { gz: 'gunzip', zst: 'unzstd', xz: 'unxz' }[ending];
    const file = path.slice(0, -ending.length - 1);
    throw new UserError('usage', `${path} is compressed`, `${unpack} ${path}, then flightline boot ${file}`);
  }
  const type = BY_ENDING[ending] ?? named;
  if (type === undefined) {
    throw new UserError('usage', `the name of ${path} tells no type of disk`, 'say which with --type, such as qcow2');
  }
  if (DISK_TYPES[type].boot === null) {
    throw new UserError('usage', `${type} is an archive, which does not boot`, 'name a disk: qcow2, raw, vmdk, iso');
  }
  return type;
}
