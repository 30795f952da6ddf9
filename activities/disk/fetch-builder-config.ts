/** Gets the builder configuration out of a release's context, for the builder. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builderText } from '../../model/builder-config/builder-config.ts';
import { sha256 } from '../../model/base/digest.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { CONTEXT_LAYOUT } from '../../model/oci/labels.ts';
import { fetchContext } from '../context/context-artifact.ts';
import type { HostContext } from '../host/work-directory.ts';
import type { BuilderCommand } from '../tools/builder/builder.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { ifMissing } from '../host/space.ts';
import type { DiskRun } from './run.ts';

type Wanted = Pick<DiskBuildInput, 'release' | 'builderConfig' | 'context'>;

/** Writes it beside the run's output. Null when the spec names none. */
export async function fetchBuilderConfig(
  host: HostContext,
  access: RegistryAccess,
  input: Wanted,
  run: DiskRun,
): Promise<BuilderCommand['config']> {
  if (!input.builderConfig) return null;
  const { format, digest } = input.builderConfig;
  const path = run.config[format];
  // The host that built the image has its context unpacked.
  const unpacked = join(host.work.release(input.release), 'context', CONTEXT_LAYOUT.builderConfigs[format]);
  const text = (await textWithDigest(unpacked, digest)) ?? (await fetchText(host, access, input, run, digest));
  await writeFile(path, builderText(text, format), { mode: 0o600 });
  return { path, format };
}

async function fetchText(
  host: HostContext,
  access: RegistryAccess,
  input: Wanted,
  run: DiskRun,
  digest: string,
): Promise<string> {
  const directory = join(run.directory, 'context');
  const { builderConfig } = await fetchContext(access, input.context, directory, host.configuration);
  const text = builderConfig && (await textWithDigest(builderConfig, digest));
  if (text === null) {
    throw new FlightlineError(
      'context-invalid',
      'the context has another builder configuration than the one that was resolved',
    );
  }
  await rm(directory, { recursive: true });
  return text;
}

/** The text of a file with this digest; null for other text, and without a file. */
async function textWithDigest(path: string, digest: string): Promise<string | null> {
  const bytes = await readFile(path).catch(ifMissing(null));
  return bytes && `sha256:${sha256(bytes)}` === digest ? bytes.toString('utf8') : null;
}
