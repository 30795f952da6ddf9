/** Disks as real programs write them: a whole one is taken, one that is truncated is not. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, truncate, writeFile, copyFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { incompleteness } from '../../activities/disk/complete.ts';
import type { DiskType } from '../../model/spec/disk.ts';

const MIB = 1024 * 1024;

let directory: string;
let raw: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-formats-'));
  await writeFile(join(directory, 'archive.xz'), Buffer.from(XZ, 'base64'));
  raw = join(directory, 'disk.raw');
  await writeFile(raw, '');
  await truncate(raw, 16 * MIB);
  const file = await open(raw, 'r+');
  const table = Buffer.alloc(1024);
  table.writeUInt16LE(0xaa55, 510);
  table.write('EFI PART', 512);
  table.writeBigUInt64LE(BigInt((16 * MIB) / 512 - 1), 512 + 32);
  await file.write(table, 0, table.length, 0);
  // Data at the end, so that a table points there.
  await file.write(randomBytes(2 * MIB), 0, 2 * MIB, 12 * MIB);
  await file.close();
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const converted = (format: string, ...more: string[]) =>
  ['qemu-img', 'convert', '-O', format, ...more, '@', '%'] as const;

/** An archive of 100 random bytes, as `xz` writes it: a bare Debian has no such program. */
const XZ =
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQBjRCCCPP3m8cJrMPkOx90B5Ih1NKIPCw0Ew27YDnHg/XewdnDrlAvVM1+XParYYZuR' +
  '/8kR9XzO1Fi7vyzgN1PJvfoP8BadyVdWdAZmds+wtOuJAsRCadoc9rpm0/i21LEAqeoOdQC76PD/dWaJUwABfGSQJtPpH7bzfQEA' +
  'AAAABFla';

/** `@` stands for the raw disk, `#` for the archive above, `%` for the file to make. */
const MAKERS: [what: string, type: DiskType, command: readonly string[]][] = [
  ['raw with a GPT', 'raw', ['cp', '--sparse=always', '@', '%']],
  ['qcow2', 'qcow2', converted('qcow2')],
  ['qcow2, compressed', 'qcow2', converted('qcow2', '-c')],
  ['qcow2 with small clusters', 'qcow2', converted('qcow2', '-o', 'cluster_size=4k')],
  ['vmdk', 'vmdk', converted('vmdk')],
  ['vmdk as bootc-image-builder makes it', 'vmdk', converted('vmdk', '-o', 'subformat=streamOptimized')],
  ['vhd as bootc-image-builder makes it', 'vhd', converted('vpc', '-o', 'subformat=fixed,force_size')],
  ['vhd that grows', 'vhd', converted('vpc')],
  ['iso', 'anaconda-iso', ['xorriso', '-as', 'mkisofs', '-quiet', '-o', '%', '@']],
  ['ova', 'ova', ['tar', '--create', '--file', '%', '@']],
  ['gce', 'gce', ['tar', '--create', '--gzip', '--file', '%', '@']],
  ['pxe', 'pxe-tar-xz', ['cp', '#', '%']],
];

describe.each(MAKERS)('%s', (what, type, [program, ...args]) => {
  it('is taken when it is whole, and not when it is truncated', async () => {
    const path = join(directory, what.replaceAll(' ', '-'));
    const places: Record<string, string> = { '@': raw, '#': join(directory, 'archive.xz'), '%': path };
    await execa(
      program!,
      args.map((one) => places[one] ?? one),
    );
    expect(await incompleteness(type, path)).toBeUndefined();
    const { size } = await stat(path);
    for (const part of [0.02, 0.5, 0.9]) {
      const cut = `${path}.cut`;
      await copyFile(path, cut);
      await truncate(cut, Math.floor(size * part));
      expect(await incompleteness(type, cut), `${part} of ${size} bytes`).toMatch(/^is (?:truncated|not a)/);
    }
  });
});

it.each<[DiskType, RegExp]>([
  ['raw', /no partition table/],
  ['qcow2', /not a QCOW2/],
  ['vmdk', /not a VMDK/],
  ['vhd', /VHD footer/],
  ['anaconda-iso', /not an ISO 9660/],
  ['ova', /not a tar/],
  ['gce', /truncated or damaged/],
  ['pxe-tar-xz', /not an xz/],
])('a file that is not a %s is refused', async (type, problem) => {
  const path = join(directory, `no-${type}`);
  await writeFile(path, randomBytes(64 * 1024));
  expect(await incompleteness(type, path)).toMatch(problem);
});
