/** One stack for all end-to-end files: starting it and filling its registry takes longer than most tests. */
import type { TestProject } from 'vitest/node';
import { factsOf, startTestStack, type StackFacts } from '../support/stack.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackFacts;
  }
}

export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const stack = await startTestStack();
  project.provide('stack', factsOf(stack.stack));
  return () => stack.end();
}
