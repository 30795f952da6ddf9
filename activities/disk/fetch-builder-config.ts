/** The builder configuration of a release's context, as the builder is given it. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builderText } from '../../model/builder-config/builder-config.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { fetchContext } from '../context/context-artifact.ts';
import type { HostContext } from '../host/work-directory.ts';
import type { BuilderCommand } from '../tools/builder/builder.ts';
import type { Task } from '../tools/process/task.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { digestFile } from '../tools/registry/oci-layout.ts';
import type { DiskRun } from './run.ts';

/** Writes it beside the run's output. Null when the spec names none. */
export async function fetchBuilderConfig(
  host: HostContext,
  access: RegistryAccess,
  input: Pick<DiskBuildInput, 'builderConfig' | 'context'>,
  run: DiskRun,
  context: Pick<Task, 'report'>,
): Promise<BuilderCommand['config']> {
  if (!input.builderConfig) return null;
  context.report({ step: 'fetching the builder configuration' });
  const { format, digest } = input.builderConfig;
  const directory = join(run.directory, 'context');
  const { builderConfig } = await fetchContext(access, input.context, directory, host.configuration);
  if (builderConfig === null || (await digestFile(builderConfig)).digest !== digest) {
    throw new FlightlineError(
      'context-invalid',
      'the context has another builder configuration than the one that was resolved',
    );
  }
  const path = run.config[format];
  const text = await readFile(builderConfig, 'utf8');
  await writeFile(path, builderText(text, format), { mode: 0o600 });
  await rm(directory, { recursive: true });
  return { path, format };
}
