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
    const { layout, digest } = await packing.packed;
    expect(await readdir(layout)).toContain('index.json');
    expect(digest).toMatch(/^sha256:/);
    await packing.remove();
    await packing.remove();
    await expect(readdir(dirname(layout))).rejects.toThrow('ENOENT');
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
