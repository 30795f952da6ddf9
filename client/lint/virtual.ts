/** Disks for virtual machines, and their guest tools. Pure. */
import type { FlightlineSpec } from '../../model/spec/flightline-spec.ts';

type DiskOfSpec = FlightlineSpec['disks'][number];

/** A package of guest tools, and the unit that runs it; null where there is nothing to enable. */
interface GuestTools {
  package: string;
  unit: string | null;
}

/** What the guide installs. */
const VMWARE: GuestTools = { package: 'open-vm-tools', unit: 'vmtoolsd.service' };
/** Started by udev where the hypervisor has a channel for it. */
const QEMU: GuestTools = { package: 'qemu-guest-agent', unit: null };

const GUESTS: Partial<Record<DiskOfSpec['type'], readonly GuestTools[]>> = {
  qcow2: [VMWARE, QEMU],
  vmdk: [VMWARE],
  ova: [VMWARE],
};

/** The guest tools that do for a disk, the guide's first; undefined when it is for no virtual machine. */
export function guestTools(disk: DiskOfSpec): readonly GuestTools[] | undefined {
  // A raw file is for flashing, unless KubeVirt is to run it.
  return GUESTS[disk.type] ?? (disk.publish === 'container-disk' ? [VMWARE, QEMU] : undefined);
}

/** Whether a disk is for virtual machines. */
export function isVirtual(disk: DiskOfSpec): boolean {
  return guestTools(disk) !== undefined;
}
