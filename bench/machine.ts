/** Describes the machine of the measurements. */
import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../test/support/flightline.ts';
import { spread } from './statistics.ts';

async function firstLine(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa(program, args, { reject: false, stderr: 'ignore' });
  return stdout.split('\n')[0]!.trim();
}

const TURNS = 100_000_000;

/**
 * How long this program counts to {@link TURNS} (s), the middle of five times: machines of one name differ by twice and
 * more.
 */
function secondsToCount(): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    let sum = 0;
    for (let turn = 0; turn < TURNS; turn++) sum += turn % 7;
    if (sum === 0) throw new Error('it did not count');
    return (performance.now() - start) / 1e3;
  });
  return spread(times).median;
}

/** A line each: machine, operating system, programs, this project. */
export async function machineFacts(temporalCli: string): Promise<string[]> {
  const system =
    /^PRETTY_NAME="(.*)"$/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'Linux';
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  const cores = cpus();
  const fileSystem = await firstLine('stat', '--file-system', '--format=%T', '/var/tmp');
  return [
    `${cores.length} cores (${cores[0]?.model.trim() || 'model unknown'}), ` +
      `${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${fileSystem}`,
    `one core counts to a hundred million in ${secondsToCount().toFixed(2)} s (a loop in Node; the middle of ` +
      'five times)',
    `${system}, Linux ${release()}`,
    `Node ${process.versions.node}, ${await firstLine('podman', '--version')}, ` +
      `${await firstLine('skopeo', '--version')}`,
    `${await firstLine(temporalCli, '--version')}, Temporal's TypeScript SDK ` +
      `${manifest.dependencies['@temporalio/worker']}`,
    `flightline ${manifest.version}, commit ` +
      `${(await firstLine('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD')) || 'unknown'}`,
  ];
}
