/** Sends what flightline has written itself into a registry: a record, logs. */
import { join } from 'node:path';
import type { Layout } from '../../../model/oci/manifest.ts';
import { together } from '../together.ts';
import type { RegistryAccess } from './access.ts';
import { expectSuccess } from './api.ts';
import { writeLayout, type LayoutBlob } from './oci-layout.ts';
import type { RepositoryClient } from './repository.ts';
import { copyImage } from './skopeo.ts';

/** Bytes that one request takes along. Starting skopeo takes longer. */
const ONE_REQUEST = 1024 * 1024;

/** An artifact, and its blobs. */
interface Artifact {
  layout: Layout;
  blobs: readonly LayoutBlob[];
}

/**
 * Sends an artifact to a tag, or without one to its digest.
 *
 * @param timeout milliseconds for a large one
 * @throws FlightlineError a registry's failure
 */
export async function sendArtifact(
  access: RegistryAccess,
  { repository, tag }: { repository: string; tag?: string },
  artifact: Artifact,
  timeout: number,
): Promise<void> {
  if (await sentInRequests(access.repository(repository), tag, artifact)) return;
  const { layout, blobs } = artifact;
  const directory = join(access.directory, 'artifact');
  await writeLayout(directory, layout, blobs);
  const destination = `docker://${repository}${tag === undefined ? `@${layout.root.digest}` : `:${tag}`}`;
  await copyImage(access, { source: `oci:${directory}`, destination }, { timeout });
}

/** `false` for an artifact that is too large for it, and where the registry takes uploads elsewhere. */
async function sentInRequests(
  to: RepositoryClient,
  tag: string | undefined,
  { layout: { root, documents }, blobs }: Artifact,
): Promise<boolean> {
  const small = blobs.flatMap((blob) => ('bytes' in blob && blob.bytes.length <= ONE_REQUEST ? [blob] : []));
  const manifest = documents.find(({ descriptor }) => descriptor.digest === root.digest);
  if (small.length < blobs.length || !manifest) return false;
  const parts = documents.flatMap(({ descriptor: { digest }, bytes }) =>
    bytes === manifest.bytes ? [] : { digest, bytes },
  );
  const sent = await together([...small, ...parts], ({ digest, bytes }) => putBlob(to, digest, bytes));
  if (sent.includes(false)) return false;
  await to.putManifest(tag ?? root.digest, { mediaType: root.mediaType, bytes: Buffer.from(manifest.bytes) });
  return true;
}

/** Stores a blob by one request ("Pushing a blob monolithically"). `false` where the upload lies on another host. */
async function putBlob(to: RepositoryClient, digest: string, bytes: Uint8Array): Promise<boolean> {
  if ((await to.ask('pull', `/blobs/${digest}`, { method: 'HEAD' })).status === 200) return true;
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
