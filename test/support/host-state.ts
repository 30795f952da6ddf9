/** What a release left on the host, seen from outside of flightline. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { StackFacts } from './stack.ts';

/** Runs podman as the stack's workers do. */
export async function podman(stack: Pick<StackFacts, 'environment'>, args: readonly string[]): Promise<string> {
  const { stdout } = await execa('podman', [...args], {
    env: { ...stack.environment, PODMAN_IGNORE_CGROUPSV1_WARNING: '1' },
  });
  return stdout;
}

/** The stack's installation id. */
export async function installationOf(stack: Pick<StackFacts, 'work'>): Promise<string> {
  return (await readFile(join(stack.work, 'installation'), 'utf8')).trim();
}

/** Everything of the stack's installation that a finished release must not leave: containers, work directories, leases, requests, attempts. */
export async function leftOvers(stack: Pick<StackFacts, 'work' | 'environment'>): Promise<string[]> {
  const installation = await installationOf(stack);
  const containers = await podman(stack, [
    'ps',
    '--all',
    '--external',
    '--filter',
    `label=io.flightline.installation=${installation}`,
    '--format',
    'container {{.Names}} {{.Status}}',
  ]);
  const files = await Promise.all(
    ['releases', 'leases', 'requests', 'attempts'].map(async (name) =>
      (await readdir(join(stack.work, name))).map((file) => `${name}/${file}`),
    ),
  );
  return [...containers.split('\n').filter((line) => line !== ''), ...files.flat()];
}
