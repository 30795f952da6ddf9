/** One stack for all end-to-end files: starting it and filling its registry takes longer than most tests. */
import type { TestProject } from 'vitest/node';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { installedWorkerCommand } from '../../workers/stack/plans.ts';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { factsOf, startTestStack, type StackFacts } from '../support/stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackFacts;
    /** Where each worker of the stack offers its metrics. */
    metrics: Record<Role, string>;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const ports = await chooseFreePorts(ROLES.length);
  const listen = Object.fromEntries(ROLES.map((role, index) => [role, `127.0.0.1:${ports[index]}`])) as Record<
    Role,
    string
  >;
  const stack = await startTestStack({
    workerCommand: (role, file) => [...installedWorkerCommand(role, file), '--metrics', listen[role]],
  });
  project.provide('metrics', listen);
  project.provide('stack', factsOf(stack.stack));
  return () => stack.end();
}
