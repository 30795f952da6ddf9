/** One Temporal dev server and one workflow bundle for all files in this folder; each file has a namespace of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import type { TestProject } from 'vitest/node';
import { devServerSearchAttributes } from '../../workers/search-attributes.ts';
import { findTemporalCli } from '../../workers/stack/temporal-cli.ts';
import { NAMESPACES } from './namespaces.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    temporalAddress: string;
    workflowBundle: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const directory = await mkdtemp(path.join(tmpdir(), 'flightline-workflows-'));
  const bundle = path.join(directory, 'workflow-bundle.js');
  const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  await writeFile(bundle, code);
  const cli = await findTemporalCli();
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: cli.path },
      extraArgs: [...NAMESPACES.flatMap((name) => ['--namespace', name]), ...devServerSearchAttributes()],
      log: { format: 'json', level: 'error' },
    },
  });
  project.provide('temporalAddress', environment.address);
  project.provide('workflowBundle', bundle);
  return async () => {
    await environment.teardown();
    await rm(directory, { recursive: true });
  };
}
