/** The process itself: what npm, pipes and signals do to it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../../support/wait.ts';

const ROOT = join(import.meta.dirname, '../../..');
const SPEC = 'name: edge\nimage: { repository: quay.io/acme/edge }\nsigning: { key: release }\n';

it.concurrent(
  'keeps its exit code when the reader of its output leaves',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-pipe-'));
    try {
      await writeFile(join(directory, 'flightline.yaml'), SPEC);
      await writeFile(join(directory, 'Containerfile'), 'FROM quay.io/acme/os:latest\n');
      const args = ['--import', 'tsx', join(ROOT, 'client/main.ts'), 'run', join(directory, 'flightline.yaml')];
      // It warns of the Containerfile, and fails later: nothing listens there.
      const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
      const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
      child.stdout.destroy();
      child.stderr.destroy();
      const [code] = await once(child, 'exit');
      expect(code).toBe(3);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  60_000,
);

it.concurrent(
  'a Containerfile without FROM is refused before anything is asked of Temporal or a registry',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-refused-'));
    try {
      await writeFile(join(directory, 'flightline.yaml'), SPEC);
      await writeFile(join(directory, 'Containerfile'), 'FRM x\n');
      // Whatever is asked there ends with exit code 3.
      const env = { ...process.env, TEMPORAL_ADDRESS: '127.0.0.1:1' };
      const args = ['--import', 'tsx', join(ROOT, 'client/main.ts'), 'run', directory];
      const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.on('data', (text) => (said += String(text)));
      const [code] = await once(child, 'close');
      expect(said.replaceAll(directory, 'DIR')).toBe(
        'error: DIR/Containerfile:1: no FROM statement found; the first instruction is "FRM x"\n' +
          '  begin it with FROM and the image that yours is built on; nothing was sent\n',
      );
      expect(code).toBe(2);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
  60_000,
);

it.concurrent.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'at %s while it packs, it leaves nothing and says that nothing was started',
  async (signal, code) => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-signal-'));
    const temporary = join(directory, 'tmp');
    // A Temporal that never answers, so that the command is still connecting.
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      await mkdir(temporary);
      await writeFile(join(directory, 'flightline.yaml'), SPEC);
      await writeFile(join(directory, 'Containerfile'), 'FROM quay.io/acme/os:latest\nCOPY large /\n');
      await writeFile(join(directory, 'large'), randomBytes(128 * 1024 * 1024));
      const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
      const args = ['--import', 'tsx', join(ROOT, 'client/main.ts'), 'run', join(directory, 'flightline.yaml')];
      const child = spawn(process.execPath, args, {
        cwd: ROOT,
        env: { ...process.env, TMPDIR: temporary, TEMPORAL_ADDRESS: address },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      // Not `exit`, which may come before its last words.
      const exit = once(child, 'close');
      let said = '';
      child.stderr.on('data', (text) => (said += String(text)));
      const made = async () => (await readdir(temporary)).filter((name) => name.startsWith('flightline-context-'));
      const packs = async () => {
        if (child.exitCode !== null) throw new Error(said);
        return (await made()).length > 0 || undefined;
      };
      await eventually('it packs', packs, { interval: 20 });
      child.kill(signal);
      expect(await exit).toEqual([code, null]);
      expect(said).toContain('interrupted: no release was started\n');
      expect(await made()).toEqual([]);
    } finally {
      silent.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
  60_000,
);
