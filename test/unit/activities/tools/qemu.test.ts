import { describe, expect, it } from 'vitest';
import { BootConsole } from '../../../../activities/disk/boot-console.ts';
import { CappedLog } from '../../../../activities/tools/process/capped-log.ts';
import { machineName, qemuArguments, type QemuCommand } from '../../../../activities/tools/qemu.ts';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerSecret } from '../../../../activities/tools/process/redact.ts';

const COMMAND: QemuCommand = {
  architecture: 'amd64',
  accelerator: 'tcg',
  name: 'flightline-boot-test-x-y',
  type: 'qcow2',
  disk: '/srv/disk.qcow2',
  firmware: { code: '/fw/code.fd', variables: '/fw/vars.fd', format: 'raw' },
  variables: '/srv/variables',
  console: '/srv/console',
};
const args = (changes: Partial<QemuCommand> = {}) => qemuArguments({ ...COMMAND, ...changes }).join(' ');

describe('the arguments of QEMU', () => {
  it('are those of a UEFI machine without network, which writes nothing to the disk', () => {
    expect(args()).toBe(
      '-name flightline-boot-test-x-y -machine q35 -accel tcg,thread=multi -cpu max,la57=off -smp 2 -m 2048 ' +
        '-nodefaults -display none -monitor none -nic none -no-reboot ' +
        '-drive if=pflash,format=raw,readonly=on,file=/fw/code.fd ' +
        '-drive if=pflash,format=raw,file=/srv/variables ' +
        '-device virtio-scsi-pci ' +
        '-drive file=/srv/disk.qcow2,format=qcow2,if=none,id=disk,snapshot=on ' +
        '-device virtio-blk-pci,drive=disk -serial file:/srv/console',
    );
  });

  it.each<[string, Partial<QemuCommand>, string]>([
    ['a person', { console: null, memory: 512 }, '-m 512 -nodefaults -display none -monitor none -nic user,model='],
    ['a terminal', { console: null }, '-chardev stdio,id=console,signal=off -serial chardev:console'],
    ['SSH', { console: null, ssh: 2222 }, '-nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:2222-:22 -drive'],
    [
      'a seed',
      { console: null, seed: '/s,d' },
      'file.driver=vvfat,file.dir=/s,,d,file.label=CIDATA,format=raw,readonly=on',
    ],
    ['KVM', { accelerator: 'kvm' }, '-accel kvm -cpu host'],
    ['arm64', { architecture: 'arm64' }, '-machine virt -accel tcg,thread=multi -cpu max '],
    ['an iso', { type: 'iso' }, 'format=raw,if=none,id=disk,media=cdrom,readonly=on -device scsi-cd,drive=disk'],
    ['a vhd', { type: 'vhd' }, 'format=vpc,if=none,id=disk,snapshot=on'],
    ['a vmdk', { type: 'vmdk' }, 'format=vmdk,if=none,id=disk,snapshot=on'],
    ['firmware as qcow2', { firmware: { ...COMMAND.firmware, format: 'qcow2' } }, 'if=pflash,format=qcow2,readonly=on'],
    ['a comma in a path', { disk: '/a,readonly=off/d' }, 'file=/a,,readonly=off/d,format=qcow2'],
  ])('know %s', (_, changes, expected) => expect(args(changes)).toContain(expected));

  it('are refused for an archive', () => {
    expect(() => args({ type: 'ova' })).toThrow('ova is no disk');
  });

  it('name the machine by installation and release', () => {
    expect(machineName('i', 'release/a:1')).not.toBe(machineName('i', 'release/a:2'));
    expect(machineName('i', 'release/a:1')).toMatch(/^flightline-boot-test-i-[0-9a-f]{16}$/);
  });
});

describe('a console', () => {
  const ESC = String.fromCodePoint(27);
  it.each([
    [`${ESC}[0;32m  OK  ${ESC}[0m] Started`, '  OK  ] Started'],
    [`${ESC}[2J${ESC}[01;01H${ESC}[=3hBdsDxe: loading`, 'BdsDxe: loading'],
    [`${ESC}]104${ESC}\\${ESC}]0;title${String.fromCodePoint(7)}up`, 'up'],
    [`${ESC}(Bdone\r\n`, 'done'],
    [`${ESC}7${ESC}[r${ESC}[999;999H${ESC}[6n${ESC}8 x`, ' x'],
  ])('is read without colours and movements', async (raw, text) => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-console-'));
    const log = new CappedLog(join(directory, 'log'), 'w');
    try {
      await writeFile(join(directory, 'console'), raw);
      const console = new BootConsole(join(directory, 'console'), log);
      await console.read();
      console.end();
      expect(console.lastLine).toBe(text);
    } finally {
      await log.close();
      await rm(directory, { recursive: true });
    }
  });

  it('is followed as it grows, searched across pieces, and logged without secrets', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-console-'));
    const path = join(directory, 'console');
    const log = new CappedLog(join(directory, 'log'), 'w');
    registerSecret('tell-nobody');
    try {
      const console = new BootConsole(path, log);
      await console.read();
      await writeFile(path, `first\r\npassword tell-nobody\r\nedge lo${ESC}[1m`);
      await console.read();
      expect(console.has('login:')).toBe(false);
      expect(console.lastLine).toBe('password [secret]');
      await appendFile(path, `g${ESC}[0min: `);
      await console.read();
      expect(console.has('login:')).toBe(true);
      expect(console.size).toBe((await readFile(path)).length);
      console.end();
      await log.close();
      expect(await readFile(join(directory, 'log'), 'utf8')).toBe('first\npassword [secret]\nedge login:\n');
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is logged whole and without secrets where a line has no end', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-console-'));
    const log = new CappedLog(join(directory, 'log'), 'w');
    registerSecret('tell-nobody');
    try {
      const console = new BootConsole(join(directory, 'console'), log);
      await writeFile(join(directory, 'console'), `begin ${'x'.repeat(5)}`);
      await console.read();
      // The console is read, and a line cut, in the middle of the secret.
      for (let rest = 'tell-nobody '.repeat(40 * 90); rest !== ''; rest = rest.slice(997)) {
        await appendFile(join(directory, 'console'), rest.slice(0, 997));
        await console.read();
      }
      console.end();
      await log.close();
      const logged = await readFile(join(directory, 'log'), 'utf8');
      expect(logged.replaceAll(/\s/g, '')).toBe(`beginxxxxx${'[secret]'.repeat(40 * 90)}`);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
