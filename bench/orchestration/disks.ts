/** Which disks the releases of the orchestration have. Pure. */
import type { DiskType, PublishForm } from '../../model/spec/disk.ts';

const TYPES: readonly DiskType[] = ['qcow2', 'vmdk', 'iso', 'raw', 'vhd', 'ami'];

/** This many disks, up to six. Three are those of the example's release, in two builder runs. */
export function disksOf(count: number): Record<string, PublishForm> {
  return Object.fromEntries(
    TYPES.slice(0, count).map((type) => [type, type === 'qcow2' ? 'container-disk' : 'artifact']),
  );
}
