/**
 * Checks that a disk's file is complete. A builder may succeed and still leave a truncated file, after a full file
 * system or a power cut. Each format has its length in its own structures; only these are read.
 */
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { DISK_TYPES, type DiskFormat, type DiskType } from '../../model/spec/disk.ts';
import { currentTask } from '../tools/process/task.ts';

/** Bytes of a sector, the unit of GPT, VMDK and VHD. */
const SECTOR = 512;
/**
 * Most bytes of a table. An L2 table of QCOW2 has at most 2 MiB (docs/interop/qcow2.txt), a grain table of VMDK 2 KiB.
 */
const MAX_TABLE = 16 * 1024 * 1024;

/** A file whose structures are read. */
interface Disk {
  /** Bytes. */
  readonly size: number;
  /** @throws {@link Cut} when the file ends earlier. */
  at(offset: number, length: number): Promise<Buffer>;
}

/** What is wrong with a file, as a phrase that follows its name. */
class Cut extends Error {}

const tooShort = (needed: number, size: number) =>
  new Cut(`is truncated: its format needs ${needed} bytes, and it has ${size}`);

const CHECKS: Record<DiskFormat, (disk: Disk, path: string) => Promise<void>> = {
  raw: checkRaw,
  qcow2: checkQcow2,
  vmdk: checkVmdk,
  vhd: checkVhd,
  iso: checkIso,
  tar: checkTar,
  'tar.gz': checkGzip,
  'tar.xz': checkXz,
};

/**
 * What is wrong with the file of a disk, such as `is truncated: …` or `is not a QCOW2 image`; `undefined` when the file
 * is complete.
 */
export async function incompleteness(type: DiskType, path: string): Promise<string | undefined> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    await CHECKS[DISK_TYPES[type].format]({ size, at: reader(file, size) }, path);
    return undefined;
  } catch (error) {
    if (error instanceof Cut) return error.message;
    throw error;
  } finally {
    await file.close();
  }
}

function reader(file: FileHandle, size: number): Disk['at'] {
  return async (offset, length) => {
    if (!(length <= MAX_TABLE)) throw new Cut('is damaged: one of its tables is larger than the format allows');
    if (!(offset + length <= size)) throw tooShort(offset + length, size);
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, offset);
    return bytes;
  };
}

/**
 * A partitioned disk: a GPT names the sector of its copy at the end of the disk (UEFI 2.10, 5.3.2), an MBR the ends of
 * the partitions.
 */
async function checkRaw(disk: Disk): Promise<void> {
  const [mbr, gpt] = [await disk.at(0, SECTOR), await disk.at(SECTOR, SECTOR)];
  if (mbr.readUInt16LE(510) !== 0xaa55) throw new Cut('is not a disk image: it has no partition table');
  if (gpt.toString('latin1', 0, 8) === 'EFI PART') {
    const end = (Number(gpt.readBigUInt64LE(32)) + 1) * SECTOR;
    if (end > disk.size) throw tooShort(end, disk.size);
    return;
  }
  for (let entry = 446; entry < 510; entry += 16) {
    const end = (mbr.readUInt32LE(entry + 8) + mbr.readUInt32LE(entry + 12)) * SECTOR;
    if (mbr[entry + 4] !== 0 && end > disk.size) throw tooShort(end, disk.size);
  }
}

/** Every cluster that a table points at begins within the file (QEMU, docs/interop/qcow2.txt). */
async function checkQcow2(disk: Disk): Promise<void> {
  const header = await disk.at(0, 72);
  if (header.toString('latin1', 0, 4) !== 'QFI\xfb') throw new Cut('is not a QCOW2 image');
  const clusterBits = header.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw new Cut('is damaged: its QCOW2 header is invalid');
  const cluster = 2 ** clusterBits;
  const compressedBits = BigInt(62 - (clusterBits - 8));
  // The lowest 9 bits are reserved or part of a sector; the highest 8 are flags.
  const OFFSET = 0x00ff_ffff_ffff_fe00n;
  const table = await disk.at(Number(header.readBigUInt64BE(40)), header.readUInt32BE(36) * 8);
  for (let index = 0; index < table.length; index += 8) {
    const at = Number(table.readBigUInt64BE(index) & OFFSET);
    if (at === 0) continue;
    const entries = await disk.at(at, cluster);
    for (let entry = 0; entry < entries.length; entry += 8) {
      const value = entries.readBigUInt64BE(entry);
      const compressed = (value & (1n << 62n)) !== 0n;
      const begin = Number(compressed ? value & ((1n << compressedBits) - 1n) : value & OFFSET);
      // The last cluster may be short: bytes beyond the end of the file read as zeros.
      if (begin >= disk.size && begin > 0) throw tooShort(begin + 1, disk.size);
    }
  }
}

/** Every grain that a grain table points at begins within the file (VMware, "Virtual Disk Format 5.0"). */
async function checkVmdk(disk: Disk): Promise<void> {
  const AT_END = 0xffff_ffff_ffff_ffffn;
  let header = await disk.at(0, SECTOR);
  if (header.toString('latin1', 0, 4) !== 'KDMV') throw new Cut('is not a VMDK image');
  // A streamed file has a copy of its header, with the position of the directory, two sectors before its end.
  if (header.readBigUInt64LE(56) === AT_END) header = await disk.at(disk.size - 2 * SECTOR, SECTOR);
  if (header.toString('latin1', 0, 4) !== 'KDMV') throw new Cut('is truncated: the VMDK footer at its end is missing');
  const grains = Math.ceil(Number(header.readBigUInt64LE(12)) / Number(header.readBigUInt64LE(20)));
  const perTable = header.readUInt32LE(44);
  if (!Number.isFinite(grains) || perTable === 0) throw new Cut('is damaged: its VMDK header is invalid');
  const tables = Math.ceil(grains / perTable);
  const directory = await disk.at(Number(header.readBigUInt64LE(56)) * SECTOR, tables * 4);
  for (let index = 0; index < directory.length; index += 4) {
    const at = directory.readUInt32LE(index) * SECTOR;
    if (at === 0) continue;
    const entries = await disk.at(at, perTable * 4);
    for (let entry = 0; entry < entries.length; entry += 4) {
      const begin = entries.readUInt32LE(entry) * SECTOR;
      if (begin >= disk.size) throw tooShort(begin + 1, disk.size);
    }
  }
}

/** The footer is the last sector (Microsoft, "Virtual Hard Disk Image Format Specification"). */
async function checkVhd(disk: Disk): Promise<void> {
  const footer = await disk.at(Math.max(0, disk.size - SECTOR), SECTOR);
  if (footer.toString('latin1', 0, 8) !== 'conectix')
    throw new Cut('is truncated: the VHD footer at its end is missing');
}

/** The primary volume descriptor has the number of blocks of the volume (ECMA-119, 8.4). */
async function checkIso(disk: Disk): Promise<void> {
  const descriptor = await disk.at(16 * 2048, 2048);
  if (descriptor.toString('latin1', 0, 6) !== '\x01CD001') throw new Cut('is not an ISO 9660 image');
  const end = descriptor.readUInt32LE(80) * descriptor.readUInt16LE(128);
  if (end > disk.size) throw tooShort(end, disk.size);
}

/** Reads from header to header. A block of zeros is the end (POSIX, pax, "ustar Interchange Format"). */
async function checkTar(disk: Disk): Promise<void> {
  for (let at = 0; ;) {
    const header = await disk.at(at, SECTOR);
    if (header.every((byte) => byte === 0)) return;
    if (header.toString('latin1', 257, 262) !== 'ustar') throw new Cut('is not a tar archive, or is damaged');
    at += SECTOR + Math.ceil(tarSize(header.subarray(124, 136)) / SECTOR) * SECTOR;
  }
}

/** Octal digits or, after a first bit that is set, a binary number (GNU tar manual, "Basic Tar Format"). */
function tarSize(field: Buffer): number {
  if ((field[0]! & 0x80) !== 0) return Number(field.readBigUInt64BE(4));
  const size = Number.parseInt(field.toString('latin1').replaceAll('\0', ' ').trim() || '0', 8);
  if (!Number.isSafeInteger(size)) throw new Cut('is not a tar archive, or is damaged');
  return size;
}

/** Where a gzip file ends can only be found by reading it. */
async function checkGzip(_disk: Disk, path: string): Promise<void> {
  const signal = currentTask()?.signal;
  const drain = async (source: AsyncIterable<Buffer>) => {
    for await (const _chunk of source) currentTask()?.report({ step: 'reading the archive' });
  };
  try {
    await pipeline(createReadStream(path), createGunzip(), drain, { signal });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code.startsWith('Z_')) throw new Cut(`is truncated or damaged: ${(error as Error).message}`);
    throw error;
  }
}

/** An xz file begins and ends with magic numbers; zeros may follow, a multiple of four (The .xz File Format, 2.1). */
async function checkXz(disk: Disk): Promise<void> {
  const begin = await disk.at(0, 6);
  if (!begin.equals(Buffer.from('fd377a585a00', 'hex'))) throw new Cut('is not an xz archive');
  let end = disk.size;
  while (end >= 8 && (await disk.at(end - 4, 4)).readUInt32LE(0) === 0) end -= 4;
  if ((await disk.at(end - 2, 2)).toString('latin1') !== 'YZ')
    throw new Cut('is truncated: the end of the xz archive is missing');
}
