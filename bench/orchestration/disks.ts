/** Which disks the releases of the orchestration have. Pure. */
import type { DiskType, PublishForm } from '../../model/spec/disk.ts';

const TYPES: readonly DiskType[] = ['qcow2', 'vmdk', 'iso', 'raw', 'vhd', 'ami'];

/** So many disks, up to six: with three it is the example's release, in two runs of the builder. */
export function disksOf(count: number): Record<string, PublishForm> {
  return Object.fromEntries(
    TYPES.slice(0, count).map((type) => [type, type === 'qcow2' ? 'container-disk' : 'artifact']),
  );
}
