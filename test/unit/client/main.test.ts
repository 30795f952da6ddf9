/** The process itself: what npm and pipes do to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');
const SPEC = 'name: edge\nimage: { repository: quay.io/acme/edge }\nsigning: { key: release }\n';

it('keeps its exit code when the reader of its output leaves', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-pipe-'));
  try {
    await writeFile(join(directory, 'flightline.yaml'), SPEC);
    await writeFile(join(directory, 'Containerfile'), 'FROM quay.io/acme/os:latest\n');
    const args = ['--import', 'tsx', join(ROOT, 'client/main.ts'), 'lint', directory, '--strict'];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.destroy();
    const [code] = await once(child, 'exit');
    expect(code).toBe(1);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}, 60_000);
