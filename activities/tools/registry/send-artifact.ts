/** Sends what flightline has written itself into a registry: a context, a record, logs. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { Layout } from '../../../model/oci/manifest.ts';
import { together } from '../together.ts';
import type { RegistryAccess } from './access.ts';
import { expectSuccess } from './api.ts';
import { writeLayout, type LayoutBlob } from './oci-layout.ts';
import type { RepositoryClient } from './repository.ts';
import { copyImage } from './skopeo.ts';

/** Bytes that one request takes along. Starting skopeo takes longer; what is larger is left to its patience. */
export const ONE_REQUEST = 16 * 1024 * 1024;

/** An artifact, and its blobs. */
interface Artifact {
  layout: Layout;
  blobs: readonly LayoutBlob[];
}

/**
 * Sends an artifact to a tag, or without one to its digest.
 *
 * @param limits of a transfer that takes long, in milliseconds
 * @throws FlightlineError a registry's failure
 */
export async function sendArtifact(
  access: RegistryAccess,
  { repository, tag }: { repository: string; tag?: string },
  artifact: Artifact,
  limits: { timeout: number; stall?: number },
): Promise<void> {
  if (await sentInRequests(access.repository(repository), tag, artifact)) return;
  const { layout, blobs } = artifact;
  const directory = join(access.directory, 'artifact');
  await writeLayout(directory, layout, blobs);
  const destination = `docker://${repository}${tag === undefined ? `@${layout.root.digest}` : `:${tag}`}`;
  await copyImage(access, { source: `oci:${directory}`, destination }, limits);
}

/** `false` for what is too large, or too much for the connection, and where the registry takes uploads elsewhere. */
async function sentInRequests(to: RepositoryClient, tag: string | undefined, artifact: Artifact): Promise<boolean> {
  const { root, documents } = artifact.layout;
  const manifest = documents.find(({ descriptor }) => descriptor.digest === root.digest);
  const small = await Promise.all(artifact.blobs.map(bytesOfSmall));
  if (!manifest || small.includes(null)) return false;
  const parts = documents
    .filter((document) => document !== manifest)
    .map(({ descriptor: { digest }, bytes }) => ({ digest, bytes }));
  try {
    const sent = await together([...small, ...parts], (part) => putBlob(to, part!.digest, part!.bytes));
    if (sent.includes(false)) return false;
    await to.putManifest(tag ?? root.digest, { mediaType: root.mediaType, bytes: Buffer.from(manifest.bytes) });
    return true;
  } catch (error) {
    if (error instanceof FlightlineError && error.failure.kind === 'registry') return false;
    throw error;
  }
}

async function bytesOfSmall(blob: LayoutBlob): Promise<{ digest: string; bytes: Uint8Array } | null> {
  const size = 'bytes' in blob ? blob.bytes.length : (await stat(blob.path)).size;
  if (size > ONE_REQUEST) return null;
  return { digest: blob.digest, bytes: 'bytes' in blob ? blob.bytes : await readFile(blob.path) };
}

/** Stores a blob by one request ("Pushing a blob monolithically"). `false` where the upload lies on another host. */
export async function putBlob(to: RepositoryClient, digest: string, bytes: Uint8Array): Promise<boolean> {
  if (await to.hasBlob(digest)) return true;
  const begun = await to.ask('pull,push', '/blobs/uploads/', { method: 'POST', headers: { 'content-length': '0' } });
  expectSuccess(begun, to.repository, 'an upload');
  const upload = to.uploadOf(begun);
  if (!upload) return false;
  const address = new URL(`${upload.href}${upload.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) };
  const answer = await to.ask('pull,push', address, { method: 'PUT', headers, body: bytes });
  expectSuccess(answer, to.repository, `the blob ${digest}`);
  return true;
}
