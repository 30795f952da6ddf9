/** What the measurements were made on. */
import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../test/support/flightline.ts';

async function firstLine(program: string, ...args: string[]): Promise<string> {
  const { stdout } = await execa(program, args, { reject: false, stderr: 'ignore' });
  return stdout.split('\n')[0]!.trim();
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
    `${cores.length} cores (${cores[0]?.model.trim() || 'model unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${fileSystem}`,
    `${system}, Linux ${release()}`,
    `Node ${process.versions.node}, ${await firstLine('podman', '--version')}, ${await firstLine('skopeo', '--version')}`,
    `${await firstLine(temporalCli, '--version')}, Temporal's TypeScript SDK ${manifest.dependencies['@temporalio/worker']}`,
    `flightline ${manifest.version}, commit ${(await firstLine('git', '-C', ROOT, 'rev-parse', '--short', 'HEAD')) || 'unknown'}`,
  ];
}
