import { lstat, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  diskRun,
  emptyRun,
  plannedStages,
  readResult,
  takeResult,
  type DiskRun,
} from '../../../../activities/disk/run.ts';
import { builderDriver } from '../../../../activities/tools/builder/drivers.ts';

const INPUTS = 'sha256:1';
const driver = builderDriver();
let directory: string;
let run: DiskRun;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'disks-'));
  run = diskRun(directory, ['raw', 'ami']);
  await emptyRun(run);
});
afterEach(() => rm(directory, { recursive: true }));

async function leave(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(run.output, path)), { recursive: true });
  await writeFile(join(run.output, path), content);
}

/** A disk with an empty partition table. */
function disk(sectors: number): Uint8Array {
  const bytes = new Uint8Array(sectors * 512);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

describe('the files of a builder run', () => {
  it('lie in a directory of their own, whatever the order of types', () => {
    expect(run.directory).toBe(join(directory, 'disks', 'ami+raw'));
  });

  it('are noted and found again; what holds passwords is deleted', async () => {
    await leave('image/disk.raw', disk(2));
    await leave('manifest-ami-raw.json', '{"pipelines":[{"stages":[{},{}]}]}');
    await writeFile(run.config.toml, 'password');
    await writeFile(run.log, 'log');
    expect(await plannedStages(run, ['ami', 'raw'], driver)).toBe(2);
    const files = await takeResult(run, INPUTS, ['ami', 'raw'], driver);
    const path = join(run.output, 'image/disk.raw');
    expect(files).toEqual([
      { type: 'ami', path, size: 1024 },
      { type: 'raw', path, size: 1024 },
    ]);
    expect(await readdir(run.output)).toEqual(['image']);
    expect(await readdir(run.directory)).toEqual(['output', 'result.json']);
    expect((await lstat(join(run.directory, 'result.json'))).mode & 0o777).toBe(0o600);
    expect(await readResult(run, INPUTS)).toEqual(files);
  });

  it('are not taken for those of other inputs, nor when they have changed', async () => {
    await leave('image/disk.raw', disk(2));
    await takeResult(run, INPUTS, ['raw'], driver);
    expect(await readResult(run, 'sha256:2')).toBeNull();
    await leave('image/disk.raw', disk(3));
    expect(await readResult(run, INPUTS)).toBeNull();
    await rm(join(run.output, 'image'), { recursive: true });
    expect(await readResult(run, INPUTS)).toBeNull();
    await writeFile(join(run.directory, 'result.json'), '{"inputs":');
    expect(await readResult(run, INPUTS)).toBeNull();
  });

  it('must be there', async () => {
    await expect(takeResult(run, INPUTS, ['raw'], driver)).rejects.toMatchObject({ failure: { kind: 'builder' } });
  });

  it('must be all there', async () => {
    await leave('image/disk.raw', disk(2).subarray(0, 900));
    await expect(takeResult(run, INPUTS, ['raw'], driver)).rejects.toMatchObject({
      failure: {
        kind: 'builder',
        message: 'the builder left image/disk.raw, which is truncated: its format needs 1024 bytes, and it has 900',
      },
    });
    expect(await readResult(run, INPUTS)).toBeNull();
  });

  it('are gone before a run begins', async () => {
    await leave('image/disk.raw', 'of yesterday');
    await emptyRun(run);
    expect(await readdir(run.output)).toEqual([]);
  });
});
