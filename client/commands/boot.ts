/** `flightline boot`: a published disk in a virtual machine whose serial console is this terminal. */
import { copyFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Option, type Command } from '@commander-js/extra-typings';
import { accelerators, findQemu, qemuArguments } from '../../activities/tools/qemu.ts';
import { temporaryDirectory } from '../../activities/tools/temporary-directory.ts';
import { architectureOf } from '../../model/base/host.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { DISK_TYPE_NAMES, type DiskType } from '../../model/spec/disk.ts';
import { runWithConsole, type MachineEnd } from '../fetch/console.ts';
import { bootableType } from '../fetch/disk-type.ts';
import { fetchNamed } from '../fetch/named.ts';
import { writeSeed } from '../fetch/seed.ts';
import type { FirstUser } from '../init/choices.ts';
import { firstUser } from '../init/first-user.ts';
import { KEY_OPTION, positiveInteger } from '../terminal/arguments.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { withStop } from '../terminal/signals.ts';
import { verb, type OptionsOf } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .argument('<disk>', 'REPOSITORY:TAG of the disk, or of its image with --type; or a file that was fetched')
    .addOption(new Option('--type <type>', 'the disk of that type beside the image').choices(DISK_TYPE_NAMES))
    .option('-o, --output <dir>', 'where the file is fetched to', '.')
    .option(...KEY_OPTION)
    .option('--memory <n>', 'MiB of memory', positiveInteger, 2_048)
    .option('--ssh <n>', "port of this machine, on loopback, that leads to the machine's SSH", positiveInteger)
    .option('--ssh-key <file>', 'public key of a user whom cloud-init makes in the machine')
    .option('--user <name>', "that user's name; default is yours")
    .option('--no-kvm', 'emulate the processor');

type BootOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'trust',
  summary: 'boot a published disk in a virtual machine',
  description:
    'Fetch a disk, verified as a device would, and boot it in QEMU with UEFI firmware: its serial console is this ' +
    'terminal, Ctrl-] ends it, and what it writes is thrown away. KVM is used where it works. ' +
    'With --ssh-key, cloud-init in the image makes a user who may log in.',
  examples: [
    'flightline boot quay.io/acme/edge-camera:v1 --type qcow2 --key release.pub',
    'flightline boot disks/disk.qcow2 --ssh 2222 --ssh-key ~/.ssh/id_ed25519.pub --user admin',
  ],

  syntax,

  async run([named], options, output) {
    // Before gigabytes are fetched.
    const user = firstUser(options.user, options.sshKey ?? '');
    const isFile = await stat(named).then(
      (found) => found.isFile(),
      () => false,
    );
    if (!isFile && !parseReference(named).ok) {
      throw new UserError(
        'usage',
        `there is no file ${named}, and it is no name of a disk in a registry`,
        'name a file that was fetched, or a disk as REPOSITORY:TAG',
      );
    }
    const path = isFile ? resolve(named) : (await fetchNamed(named, options, output)).path;
    const type = bootableType(path, options.type);
    return withStop((signal) => boot({ path, type, user }, options, output, signal));
  },
});

async function boot(
  disk: { path: string; type: DiskType; user: FirstUser | null },
  options: BootOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const architecture = architectureOf(process.arch);
  if (!architecture) throw new UserError('usage', `no machine is known for ${process.arch}`, 'boot it elsewhere');
  const { program, firmware } = await findQemu(architecture);
  const { path: directory, remove } = temporaryDirectory('flightline-boot-');
  try {
    const seed = disk.user ? join(directory, 'seed') : undefined;
    if (disk.user && seed) await writeSeed(seed, disk.user);
    const possible = (await accelerators()).filter((one) => options.kvm || one !== 'kvm');
    for (const accelerator of possible) {
      const variables = join(directory, 'variables');
      await copyFile(firmware.variables, variables);
      const args = qemuArguments({
        architecture,
        accelerator,
        name: `flightline-boot-${process.pid}`,
        type: disk.type,
        disk: disk.path,
        firmware,
        variables,
        console: null,
        memory: options.memory,
        ssh: options.ssh,
        seed,
      });
      output.note(`booting ${disk.path} ${accelerator === 'kvm' ? 'under KVM' : 'by emulation'}; Ctrl-] ends it`);
      const isLast = accelerator === possible.at(-1);
      const end = await runWithConsole(program, args, { directory, mayBeSilent: isLast }, signal);
      // Where KVM itself runs in a machine it may open, and then fail or stop.
      const isSilent = end.kind === 'silent' || (end.kind === 'failed' && !end.printed);
      if (!isSilent || isLast) return ended(end, output);
      output.note('KVM does not work here: another try by emulation');
    }
    throw new UserError('usage', '--no-kvm leaves no way to boot', 'leave it out');
  } finally {
    await remove();
  }
}

function ended(end: MachineEnd, output: Output): number {
  if (end.kind === 'failed') {
    throw new UserError('qemu', `QEMU ended: ${end.said}`, 'see that the file is a disk that boots', EXIT.failed);
  }
  output.note(end.kind !== 'off' ? 'ended; what it wrote is thrown away' : 'the machine has switched itself off');
  return EXIT.ok;
}
