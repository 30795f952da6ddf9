/**
 * A context as an artifact in a registry: sent by the client or, for git, by a control worker, and fetched by build
 * hosts.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseByteSize } from '../../model/base/byte-size.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { CONTEXT_ARTIFACT_TYPE } from '../../model/oci/labels.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import { contextTag } from '../../model/oci/reference.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { ONE_REQUEST, sendArtifact } from '../tools/registry/send-artifact.ts';
import { layoutBlobPath } from '../tools/registry/oci-layout.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
import { withTemporaryDirectory } from '../tools/temporary-directory.ts';
import { inspectContextTar, type ContextFacts } from './inspect.ts';
import type { PackedContext } from './pack.ts';
import { unpackContextTar, type UnpackedContext } from './unpack.ts';

/** Milliseconds for the transfer of a context of any size, and after which a transfer that moves nothing is ended. */
const TRANSFER = { timeout: 6 * 60 * 60_000, stall: 4 * 60_000 };

type Limit = Pick<WorkerConfiguration, 'context'>;

const limitOf = ({ context }: Limit) => parseByteSize(context.unpackedSize)!;

/** A context in a registry. */
interface ContextName {
  repository: string;
  digest: string;
}

/**
 * Sends a packed context, unless the registry has it. The tag `sha256-<hex>` keeps garbage collectors away while a
 * release waits.
 */
export async function sendContext(access: RegistryAccess, repository: string, packed: PackedContext): Promise<void> {
  const tag = contextTag(packed.digest);
  if ((await access.repository(repository).headManifest(tag)) === packed.digest) return;
  await sendArtifact(access, { repository, tag }, packed.artifact, TRANSFER);
}

/**
 * Reads the facts of a context before anything is built.
 *
 * @param configuration limits its size when unpacked
 * @throws FlightlineError `context-invalid`
 */
export async function inspectContext(
  access: RegistryAccess,
  artifact: ContextName,
  configuration: Limit,
): Promise<ContextFacts> {
  return withTemporaryDirectory('flightline-context-', async (scratch) =>
    inspectContextTar(await fetchTar(access, artifact, scratch), limitOf(configuration)),
  );
}

/** Empties a directory and unpacks a context into it. `configuration` as for {@link inspectContext}. */
export async function fetchContext(
  access: RegistryAccess,
  artifact: ContextName,
  directory: string,
  configuration: Limit,
): Promise<UnpackedContext> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return withTemporaryDirectory('flightline-context-', async (scratch) =>
    unpackContextTar(await fetchTar(access, artifact, scratch), directory, limitOf(configuration)),
  );
}

async function fetchTar(access: RegistryAccess, { repository, digest }: ContextName, scratch: string): Promise<string> {
  const name = `${repository}@${digest}`;
  const stored = await access.repository(repository).getManifest(digest);
  if (!stored) throw new FlightlineError('context-invalid', `the context ${name} is not in the registry`);
  const manifest = parseManifest(stored.bytes);
  const layer = manifest?.layers?.[0];
  if (manifest?.artifactType !== CONTEXT_ARTIFACT_TYPE || manifest.layers?.length !== 1 || !layer) {
    throw new FlightlineError('context-invalid', `${name} is not a context artifact`);
  }
  const small = layer.size <= ONE_REQUEST && (await fetchSmall(access, repository, layer.digest));
  if (small) {
    const file = join(scratch, 'context.tar.gz');
    await writeFile(file, small);
    return file;
  }
  const layout = join(scratch, 'fetched');
  await copyImage(access, { source: `docker://${name}`, destination: `oci:${layout}` }, TRANSFER);
  return layoutBlobPath(layout, layer.digest);
}

/** Null when it did not arrive: skopeo has more patience, and words for it. */
async function fetchSmall(access: RegistryAccess, repository: string, digest: string): Promise<Buffer | null> {
  try {
    return await access.repository(repository).getBlob(digest, ONE_REQUEST);
  } catch (error) {
    if (error instanceof FlightlineError && error.failure.kind === 'registry') return null;
    throw error;
  }
}
