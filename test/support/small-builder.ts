/**
 * A builder that makes disks without a system in them, in no time: it keeps the contract of bootc-image-builder
 * (arguments, directories of results), and leaves for each architecture another qcow2 and raw file. For what becomes of
 * disks that nobody boots; images of a few bytes have none to make.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ARCHITECTURES, architectureOf } from '../../model/base/host.ts';
import { buildSmallImage } from './small-image.ts';

/** Path below the registry; the worker configuration must allow it. */
export const SMALL_BUILDER = 'test/small-builder';

const SCRIPT = `set -e
arch=${architectureOf(process.arch)}
for word in "$@"; do
  case $word in --target-arch=*) arch=\${word#*=} ;; esac
done
mkdir /output/qcow2 /output/image
cp /disks/$arch.qcow2 /output/qcow2/disk.qcow2
cp /disks/$arch.raw /output/image/disk.raw
# Each time others, as a builder's are.
read id </etc/hostname
echo "made by $id" >>/output/qcow2/disk.qcow2
echo "made by $id" >>/output/image/disk.raw
`;

/** Bytes of a raw disk with an empty partition table. */
const SIZE = 1024 * 1024;

/** Makes and pushes it. @returns its reference */
export async function publishSmallBuilder(registry: string): Promise<string> {
  const reference = `${registry}/${SMALL_BUILDER}:1`;
  const directory = await mkdtemp(join(tmpdir(), 'flightline-disks-'));
  try {
    const files: Record<string, string | Uint8Array> = { 'make-disks': SCRIPT };
    for (const architecture of ARCHITECTURES) {
      const raw = Buffer.alloc(SIZE);
      raw.write(`a disk for ${architecture}`);
      raw.writeUInt16LE(0xaa55, 510);
      const [from, to] = [join(directory, 'disk.raw'), join(directory, 'disk.qcow2')];
      await writeFile(from, raw);
      await execa('qemu-img', ['convert', '-O', 'qcow2', from, to]);
      files[`disks/${architecture}.raw`] = raw;
      files[`disks/${architecture}.qcow2`] = await readFile(to);
    }
    const programs = ['/bin/sh', '/bin/cp', '/bin/mkdir'];
    await buildSmallImage(reference, { programs, files, entrypoint: ['/bin/sh', '/make-disks'] });
    await execa('podman', ['push', '--quiet', '--tls-verify=false', reference]);
    await execa('podman', ['rmi', reference]);
    return reference;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
