import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { startPacking } from '../../../../client/project/context.ts';

it('a context that is packed ahead is there until it is removed, also when packing fails', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-packing-'));
  try {
    const containerfile = join(directory, 'Containerfile');
    await writeFile(containerfile, 'FROM scratch\nCOPY file /\n');
    await writeFile(join(directory, 'file'), 'x');
    const packing = startPacking({ directory, containerfile, builderConfig: null, buildContexts: {} });
    const { artifact, digest } = await packing.packed;
    const place = dirname(artifact.blobs[0]!.path);
    expect(await readdir(place)).toContain('context.tar.gz');
    expect(digest).toMatch(/^sha256:/);
    await packing.remove();
    await packing.remove();
    await expect(readdir(place)).rejects.toThrow('ENOENT');
    await mkdir(join(directory, 'none'));
    const failing = startPacking({
      directory,
      containerfile: join(directory, 'none'),
      builderConfig: null,
      buildContexts: {},
    });
    await expect(failing.packed).rejects.toThrow();
    await failing.remove();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
