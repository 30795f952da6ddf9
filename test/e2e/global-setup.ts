/**
 * The stacks that files share, one for each file that may run at a time: starting one and filling its registry takes
 * longer than most tests.
 */
import type { TestProject } from 'vitest/node';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { installedWorkerCommand } from '../../workers/stack/plans.ts';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { SMALL_BUILDER } from '../support/small-builder.ts';
import type { SharedStack } from '../support/shared-stack.ts';
import { factsOf, startTestStack } from '../support/stack.ts';

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const lanes = Math.min(Number(project.config.maxWorkers), project.vitest.state.getPaths().length);
  const started: { facts: SharedStack; end: () => Promise<void> }[] = [];
  const end = async () => void (await Promise.all(started.map((one) => one.end())));
  try {
    // The first makes what the others copy: the example images and the registry's contents.
    started.push(await startShared());
    const others = await Promise.allSettled(Array.from({ length: lanes - 1 }, startShared));
    for (const one of others) if (one.status === 'fulfilled') started.push(one.value);
    for (const one of others) if (one.status === 'rejected') throw one.reason;
  } catch (error) {
    await end();
    throw error;
  }
  project.provide(
    'stacks',
    started.map(({ facts }) => facts),
  );
  return end;
}

async function startShared(): Promise<{ facts: SharedStack; end: () => Promise<void> }> {
  const ports = await chooseFreePorts(ROLES.length);
  const metrics = Object.fromEntries(ROLES.map((role, index) => [role, `127.0.0.1:${ports[index]}`])) as Record<
    Role,
    string
  >;
  const stack = await startTestStack({
    configure: (configuration) => ({
      ...configuration,
      // One of them by emulation, where a test has set that up.
      architectures: [...ARCHITECTURES],
      emulatedDisks: true,
      builders: [...configuration.builders, `${configuration.keys['release']!.repositories[0]}/${SMALL_BUILDER}`],
    }),
    workerCommand: (role, file) => [...installedWorkerCommand(role, file), '--metrics', metrics[role]],
  });
  return { facts: { ...factsOf(stack.stack), metrics }, end: () => stack.end() };
}
