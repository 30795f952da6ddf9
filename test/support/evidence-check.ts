/** Checks statements and bills of materials by the libraries of in-toto, SPDX and CycloneDX, which PyPI has. */
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

const LIBRARIES = ['in-toto-attestation==0.9.3', 'spdx-tools==0.8.5', 'cyclonedx-python-lib[json-validation]==11.12.0'];
/** Another one for other libraries. */
const CACHE = join(homedir(), '.cache/flightline/evidence-check-1');

/** Installs the libraries, once, beside those of the system. */
export async function evidenceLibraries(): Promise<void> {
  if (existsSync(CACHE)) return;
  const draft = `${CACHE}.${process.pid}`;
  await execa('pip', ['install', '--quiet', `--target=${draft}`, ...LIBRARIES]);
  await rename(draft, CACHE);
}

/** What is wrong with a document, a line each; none when it is what its specification asks for. */
export async function problemsOf(kind: 'statement' | 'spdx' | 'cyclonedx', text: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-evidence-'));
  try {
    const file = join(directory, 'document.json');
    await writeFile(file, text);
    const script = join(import.meta.dirname, 'evidence-check.py');
    const { stdout } = await execa('python3', [script, kind, file], { env: { PYTHONPATH: CACHE } });
    return stdout.split('\n').filter((line) => line !== '');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
