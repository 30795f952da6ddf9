/** QEMU for boot tests and for people: its programs, firmware and arguments, and how to end one that is left. */
import { access, constants, lstat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DISK_TYPES, type DiskType } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import type { Architecture } from '../../model/base/host.ts';
import { argumentsWith, processesWithArgument, signal } from './process/processes.ts';

/** `kvm` runs the guest on the processor, `tcg` emulates one. */
export type Accelerator = 'kvm' | 'tcg';

/** UEFI firmware: its code, and its variables, of which each machine gets a copy. */
interface Firmware {
  code: string;
  variables: string;
  format: 'raw' | 'qcow2';
}

interface Machine {
  /** Tried in this order. Red Hat's QEMU is not on PATH. */
  programs: readonly string[];
  machine: string;
  /**
   * The emulated processor. On amd64 all that QEMU can emulate, since distributions need different levels, except
   * 5-level paging, which only costs time.
   */
  processor: string;
  firmware: readonly Firmware[];
}

const raw = (code: string, variables: string): Firmware => ({ code, variables, format: 'raw' });

/**
 * Where distributions keep the firmware (Debian and Ubuntu: ovmf, qemu-efi-aarch64; Fedora and RHEL: edk2-ovmf,
 * edk2-aarch64).
 */
const MACHINES: Record<Architecture, Machine> = {
  amd64: {
    programs: ['qemu-system-x86_64', '/usr/libexec/qemu-kvm'],
    machine: 'q35',
    processor: 'max,la57=off',
    firmware: [
      raw('/usr/share/OVMF/OVMF_CODE_4M.fd', '/usr/share/OVMF/OVMF_VARS_4M.fd'),
      {
        code: '/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2',
        variables: '/usr/share/edk2/ovmf/OVMF_VARS_4M.qcow2',
        format: 'qcow2',
      },
      raw('/usr/share/edk2/ovmf/OVMF_CODE.fd', '/usr/share/edk2/ovmf/OVMF_VARS.fd'),
      raw('/usr/share/OVMF/OVMF_CODE.fd', '/usr/share/OVMF/OVMF_VARS.fd'),
    ],
  },
  arm64: {
    programs: ['qemu-system-aarch64', '/usr/libexec/qemu-kvm'],
    machine: 'virt',
    processor: 'max',
    firmware: [
      raw('/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd'),
      raw('/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw', '/usr/share/edk2/aarch64/vars-template-pflash.raw'),
    ],
  },
};

/** Processors and memory (MiB) of the machine: what the guide's smallest virtual machine has. */
const PROCESSORS = 2;
const MEMORY = 2_048;

/** The parameters of a run of QEMU. Paths are absolute. */
export interface QemuCommand {
  architecture: Architecture;
  accelerator: Accelerator;
  /** Identifies the process. */
  name: string;
  type: DiskType;
  disk: string;
  firmware: Firmware;
  /** This machine's own copy of the firmware's variables. */
  variables: string;
  /**
   * File that the serial console is written to; null for standard input and output. A person's machine has a network,
   * and may restart.
   */
  console: string | null;
  /** MiB. */
  memory?: number;
  /** Port on loopback that leads to the machine's SSH. */
  ssh?: number | undefined;
  /** Directory that the guest sees as a file system with the label that cloud-init looks for. */
  seed?: string | undefined;
}

/** Arguments of QEMU: UEFI, no display, a serial console, and nothing written to the disk. Pure. */
export function qemuArguments(command: QemuCommand): string[] {
  const { boot } = DISK_TYPES[command.type];
  if (!boot) throw new Error(`${command.type} is no disk`);
  const { machine, processor } = MACHINES[command.architecture];
  const { format } = command.firmware;
  const pflash = (path: string, more: string) => ['-drive', `if=pflash,format=${format},${more}file=${escaped(path)}`];
  const file = `file=${escaped(command.disk)},format=${boot.format},if=none,id=disk`;
  return [
    ...nameArguments(command.name),
    '-machine',
    machine,
    ...(command.accelerator === 'kvm'
      ? ['-accel', 'kvm', '-cpu', 'host']
      : ['-accel', 'tcg,thread=multi', '-cpu', processor]),
    '-smp',
    String(PROCESSORS),
    '-m',
    String(command.memory ?? MEMORY),
    '-nodefaults',
    '-display',
    'none',
    '-monitor',
    'none',
    // A guest that restarts has not booted.
    ...(command.console === null ? ['-nic', network(command)] : ['-nic', 'none', '-no-reboot']),
    ...pflash(command.firmware.code, 'readonly=on,'),
    ...pflash(command.variables, ''),
    '-device',
    'virtio-scsi-pci',
    '-drive',
    // What the guest writes goes into a nameless file in TMPDIR.
    boot.medium === 'cdrom' ? `${file},media=cdrom,readonly=on` : `${file},snapshot=on`,
    '-device',
    boot.medium === 'cdrom' ? 'scsi-cd,drive=disk' : 'virtio-blk-pci,drive=disk',
    ...(command.seed === undefined ? [] : seedArguments(command.seed)),
    ...(command.console === null
      ? ['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console']
      : ['-serial', `file:${command.console}`]),
  ];
}

/** A disk with a FAT file system, which QEMU makes of a directory. */
function seedArguments(directory: string): string[] {
  const drive = `file.driver=vvfat,file.dir=${escaped(directory)},file.label=CIDATA,format=raw,readonly=on`;
  return ['-drive', `${drive},if=none,id=seed`, '-device', 'virtio-blk-pci,drive=seed'];
}

/** QEMU's own network, by which the guest reaches out, and nobody in but by the port. */
function network({ ssh }: QemuCommand): string {
  return `user,model=virtio-net-pci${ssh === undefined ? '' : `,hostfwd=tcp:127.0.0.1:${ssh}-:22`}`;
}

/** In QEMU's options a comma ends a value, and two commas mean one. */
function escaped(path: string): string {
  return path.replaceAll(',', ',,');
}

function nameArguments(name: string): [string, string] {
  return ['-name', name];
}

/** The program and the firmware of this machine. @throws FlightlineError `host-setup` that says what to install. */
export async function findQemu(architecture: Architecture): Promise<{ program: string; firmware: Firmware }> {
  const { programs, firmware } = MACHINES[architecture];
  const program = await firstThat(programs, isProgram);
  if (!program) {
    throw new FlightlineError('host-setup', `QEMU is needed, and there is no ${programs[0]}`, {
      remedy:
        architecture === 'amd64'
          ? 'install qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL)'
          : 'install qemu-system-arm (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL)',
    });
  }
  const found = await firstThat(firmware, async ({ code, variables }) => (await isFile(code)) && isFile(variables));
  if (!found) {
    throw new FlightlineError('host-setup', 'QEMU needs UEFI firmware, and none was found', {
      remedy:
        architecture === 'amd64'
          ? 'install ovmf (Debian, Ubuntu) or edk2-ovmf (Fedora, RHEL)'
          : 'install qemu-efi-aarch64 (Debian, Ubuntu) or edk2-aarch64 (Fedora, RHEL)',
    });
  }
  return { program, firmware: found };
}

/**
 * The accelerators to try on this machine, the best first. KVM may open and still not work, which only a silent guest
 * shows.
 */
export async function accelerators(): Promise<Accelerator[]> {
  const kvm = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  return kvm ? ['kvm', 'tcg'] : ['tcg'];
}

async function firstThat<Item>(
  items: readonly Item[],
  fits: (item: Item) => Promise<boolean>,
): Promise<Item | undefined> {
  for (const item of items) if (await fits(item)) return item;
  return undefined;
}

async function isProgram(name: string): Promise<boolean> {
  const places = name.startsWith('/') ? [''] : (process.env['PATH'] ?? '').split(':').map((place) => `${place}/`);
  const found = await firstThat(places, (place) =>
    access(`${place}${name}`, constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return found !== undefined;
}

async function isFile(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

const PREFIX = 'flightline-boot-test';

/** The name of a machine of a release, or of its platform, by which it is found after its worker has died. */
export function machineName(installation: string, release: string, platform?: Architecture): string {
  return [PREFIX, installation, releaseKey(release), ...(platform ? [platform] : [])].join('-');
}

/**
 * The machines of an installation whose release ({@link releaseKey}) is not among these, so that nobody waits for them.
 */
export async function forgottenMachines(installation: string, held: ReadonlySet<string>): Promise<string[]> {
  const prefix = `${PREFIX}-${installation}-`;
  const names = (await argumentsWith(prefix)).filter((name) => !held.has(name.slice(prefix.length).split('-')[0]!));
  return [...new Set(names)];
}

/** Milliseconds in which a killed QEMU is gone. */
const GONE = 5_000;

/** Ends the machine with a name. `true` when it ran. */
export async function endMachine(name: string): Promise<boolean> {
  let seen = false;
  for (let waited = 0; waited < GONE; waited += 100) {
    const found = await processesWithArgument(name);
    if (found.length === 0) return seen;
    seen = true;
    // It writes nothing that is kept, so SIGKILL does no harm.
    for (const pid of found) signal(pid, 'SIGKILL');
    await sleep(100);
  }
  return seen;
}
