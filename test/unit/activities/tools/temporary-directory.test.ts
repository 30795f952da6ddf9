import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const MODULE = join(import.meta.dirname, '../../../../activities/tools/temporary-directory.ts');
const PROGRAM = `
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { temporaryDirectory } from ${JSON.stringify(MODULE)};
const { path } = temporaryDirectory('flightline-', process.argv[2]);
spawn('sh', ['-c', 'i=0; while : > "$0/$i"; do i=$((i+1)); done', path], { stdio: 'ignore' }).unref();
setInterval(() => existsSync(path + '/100') && process.exit(0), 1);
`;

it('a directory goes with its process, while a program still adds files to it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-standing-'));
  try {
    const parent = join(directory, 'parent');
    const program = join(directory, 'program.mts');
    await writeFile(program, PROGRAM);
    await mkdir(parent);
    await execa(process.execPath, ['--import', 'tsx', program, parent]);
    expect(await readdir(parent)).toEqual([]);
  } finally {
    // Without its directory the program ends.
    await rm(directory, { recursive: true, force: true, maxRetries: 20 });
  }
});
