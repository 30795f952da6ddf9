/**
 * The smallest Linux program, which ends with exit code 0. With it a container can be tried without fetching an image.
 */
import type { Architecture } from '../../../../model/base/host.ts';

/** Machine numbers of ELF (elf(5)), and `exit(0)` in machine code. */
const MACHINES: Record<Architecture, { machine: number; code: readonly number[] }> = {
  // mov $60,%eax; xor %edi,%edi; syscall
  amd64: { machine: 62, code: [0xb8, 0x3c, 0x00, 0x00, 0x00, 0x31, 0xff, 0x0f, 0x05] },
  // mov x8,#93; mov x0,#0; svc #0
  arm64: { machine: 183, code: [0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4] },
};

const HEADER = 64;
const PROGRAM_HEADER = 56;
const LOAD_ADDRESS = 0x400000;

/** A static ELF executable for an architecture. */
export function tinyProgram(architecture: Architecture): Buffer {
  const found = MACHINES[architecture];
  const start = HEADER + PROGRAM_HEADER;
  const file = Buffer.alloc(start + found.code.length);
  // ELF header: 64 bits, little endian, System V, executable.
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0], 0);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(found.machine, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS + start), 24);
  file.writeBigUInt64LE(BigInt(HEADER), 32);
  file.writeUInt16LE(HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(1, 56);
  // One segment (PT_LOAD): the whole file, readable and executable.
  file.writeUInt32LE(1, HEADER);
  file.writeUInt32LE(5, HEADER + 4);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), HEADER + 16);
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), HEADER + 24);
  file.writeBigUInt64LE(BigInt(file.length), HEADER + 32);
  file.writeBigUInt64LE(BigInt(file.length), HEADER + 40);
  file.writeBigUInt64LE(4096n, HEADER + 48);
  file.set(found.code, start);
  return file;
}
