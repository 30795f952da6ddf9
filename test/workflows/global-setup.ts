/**
 * One Temporal dev server and one workflow bundle for all files in this folder; each file has a namespace of its own.
 */
import type { TestProject } from 'vitest/node';
import { NAMESPACES } from './namespaces.ts';
import { installQuietRuntime, startServer } from './server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    temporalAddress: string;
    workflowBundle: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  installQuietRuntime();
  const server = await startServer(NAMESPACES);
  project.provide('temporalAddress', server.address);
  project.provide('workflowBundle', server.bundle);
  return () => server.stop();
}
