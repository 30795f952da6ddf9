/** A Temporal dev server and a workflow bundle, for tests and for recording histories. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import { devServerSearchAttributes } from '../../workers/temporal/search-attributes.ts';
import { devServerPace } from '../../workers/stack/temporal-cli/dev-server.ts';
import { findTemporalCli } from '../../workers/stack/temporal-cli/temporal-cli.ts';
import { workflowModules } from '../../workers/workflow-modules.ts';

let installed = false;

/** Lets only errors through: stand-ins that fall silent make the SDK warn. Once in a process, which files share. */
export function installQuietRuntime(): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) } },
  });
}

/** What {@link startServer} started. */
export interface Server {
  address: string;
  /** Path of the bundle. */
  bundle: string;
  /** Path of the Temporal CLI. */
  cli: string;
  stop(): Promise<void>;
}

/** Starts a server with these namespaces and flightline's search attributes in each. */
export async function startServer(namespaces: readonly string[]): Promise<Server> {
  const directory = await mkdtemp(path.join(tmpdir(), 'flightline-workflows-'));
  const bundle = path.join(directory, 'workflow-bundle.cjs');
  const { code } = await bundleWorkflowCode({ ...workflowModules(), logger: new DefaultLogger('ERROR') });
  await writeFile(bundle, code);
  const { path: cli } = await findTemporalCli();
  const environment = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: cli },
      extraArgs: [
        ...namespaces.flatMap((name) => ['--namespace', name]),
        ...devServerSearchAttributes(),
        ...devServerPace(),
      ],
      log: { format: 'json', level: 'error' },
    },
  });
  return {
    address: environment.address,
    bundle,
    cli,
    stop: async () => {
      await environment.teardown();
      await rm(directory, { recursive: true });
    },
  };
}
