/** Looks at dry runs on a stack that files share. */
import type { DryRun } from '../../client/project/plan.ts';
import { runFlightline } from '../support/flightline.ts';
import { leftOvers, podman } from '../support/host-state.ts';
import type { Project } from '../support/project.ts';
import { storedManifests, tagsOf } from '../support/registry.ts';
import type { SharedStack } from '../support/shared-stack.ts';

/** What a dry run said. */
export interface Look {
  exitCode: number;
  plan: DryRun;
  said: string;
}

export async function look({ environment }: SharedStack, project: Project, ...args: string[]): Promise<Look> {
  const outcome = await runFlightline(['run', project.spec, '--dry-run', '--json', ...args], { environment });
  return {
    exitCode: outcome.exitCode,
    plan: JSON.parse(outcome.stdout) as DryRun,
    said: outcome.stdout + outcome.stderr,
  };
}

/** All that a dry run must not change. */
export async function everything(stack: SharedStack, project: Project): Promise<unknown> {
  return {
    stored: await storedManifests(stack.registryLog),
    tags: await Promise.all(['', '/context', '/release'].map((name) => tagsOf(`${project.repository}${name}`))),
    images: (await podman(stack, ['images', '--format', '{{.Repository}}:{{.Tag}}']))
      .split('\n')
      // Others may use this machine's storage at the same time.
      .filter((name) => name.startsWith(project.repository) || name.startsWith('localhost/flightline/dry-run')),
    containers: await podman(stack, ['ps', '--all', '--filter', 'name=flightline-dry-run', '--format', '{{.Names}}']),
    host: await leftOvers(stack),
    releases: (await runFlightline(['list', '--limit', '100', '--json'], { environment: stack.environment })).stdout,
  };
}
