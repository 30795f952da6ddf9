/** Rules about images for virtual machines. Pure. */
import type { FlightlineSpec } from '../../model/spec/flightline-spec.ts';
import { finalCommands } from './containerfile.ts';
import { enables, installs, isDnf } from './packages.ts';
import { isLateBound, type Found, type Project } from './project.ts';

type DiskOfSpec = FlightlineSpec['disks'][number];

/** Guest tools, with the unit that runs them; the first is what the guide installs. */
const VMWARE = { package: 'open-vm-tools', unit: 'vmtoolsd.service' };
/** Started by udev where the hypervisor has a channel for it, so there is nothing to enable. */
const QEMU = { package: 'qemu-guest-agent', unit: null };

/** Disk types that the guide has for virtual machines, and the guest tools that do there. */
const GUESTS: Partial<Record<DiskOfSpec['type'], readonly (typeof VMWARE | typeof QEMU)[]>> = {
  qcow2: [VMWARE, QEMU],
  vmdk: [VMWARE],
  ova: [VMWARE],
};

function guestTools(disk: DiskOfSpec) {
  // A raw file is for flashing, unless KubeVirt is to run it.
  return GUESTS[disk.type] ?? (disk.publish === 'container-disk' ? [VMWARE, QEMU] : undefined);
}

/** Whether a disk is for virtual machines. */
export function isVirtual(disk: DiskOfSpec): boolean {
  return guestTools(disk) !== undefined;
}

/** Disks whose guest tools are not there, or do not start. */
export function guestToolsMissing({ spec, containerfile }: Project): Found[] {
  const commands = finalCommands(containerfile);
  const line = containerfile.final.at(-1)!.line;
  const found = spec.disks.flatMap((disk) => {
    const tools = isLateBound(spec) ? guestTools(disk) : undefined;
    if (!tools) return [];
    const there = tools.flatMap(({ package: name, unit }) => {
      const install = installs(commands, name);
      return install ? [{ name, unit, install }] : [];
    });
    const working = there.some(({ unit, install }) => unit === null || !isDnf(install) || enables(commands, unit));
    if (working) return [];
    const [first] = there;
    return first
      ? [
          {
            line: first.install.line,
            message: `${first.name} is installed and never started; add \`systemctl enable ${first.unit}\``,
          },
        ]
      : [
          {
            line,
            message: `the ${disk.type} disk is for virtual machines, and nothing installs ${tools.map((tool) => tool.package).join(' or ')}`,
          },
        ];
  });
  return found;
}

/** Virtual machines that nothing could give a configuration. */
export function cloudInitMissing({ spec, containerfile }: Project): Found[] {
  const disk = isLateBound(spec) ? spec.disks.find(isVirtual) : undefined;
  if (!disk) return [];
  const commands = finalCommands(containerfile);
  const install = installs(commands, 'cloud-init');
  if (!install) {
    const message = `the ${disk.type} disk is for virtual machines with late binding, and nothing installs cloud-init`;
    return [{ line: containerfile.final.at(-1)!.line, message }];
  }
  const enabled = ['cloud-init.target', 'cloud-init.service'].some((unit) => enables(commands, unit));
  if (enabled || !isDnf(install)) return [];
  const message =
    'cloud-init is installed and never started; add `ln -s ../cloud-init.target /usr/lib/systemd/system/default.target.wants`';
  return [{ line: install.line, message }];
}
