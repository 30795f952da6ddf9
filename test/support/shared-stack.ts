/** The stacks that are started once for all files of a run (test/e2e/global-setup.ts). */
import { inject } from 'vitest';
import type { Role } from '../../model/contract/queue.ts';
import type { StackFacts } from './stack.ts';

/** A stack that test files share, and where each of its workers offers its metrics. */
export interface SharedStack extends StackFacts {
  metrics: Record<Role, string>;
}

declare module 'vitest' {
  export interface ProvidedContext {
    /** One for each file that may run at a time. */
    stacks: SharedStack[];
  }
}

/** The stack that no other file uses while this one runs. A file that kills or configures workers starts its own. */
export function sharedStack(): SharedStack {
  // Vitest numbers the files that run at a time, from 1.
  return inject('stacks')[Number(process.env['VITEST_POOL_ID']) - 1]!;
}
