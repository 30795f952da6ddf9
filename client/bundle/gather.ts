/** Gathers a released name from its registry into a layout directory. */
import type { KeyObject } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryAccess } from '../../activities/tools/registry/access.ts';
import { downloadBlob } from '../../activities/tools/registry/download.ts';
import { layoutBlobPath } from '../../activities/tools/registry/oci-layout.ts';
import { attachedTo } from '../../activities/tools/registry/reading/attached-to.ts';
import { copyImage } from '../../activities/tools/registry/skopeo.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { indexEntries, parseManifest, type Manifest } from '../../model/oci/manifest.ts';
import { formatReference, type Reference } from '../../model/oci/reference.ts';
import { policyArtifact, POLICY_NAME, type BundleIndex, type BundleRoot } from '../../model/bundle/bundle.ts';
import { blobsOf, typeOf } from './bundle.ts';
import { verifiedRelease } from './verified.ts';

/** Bytes of a blob that one request brings; what is larger comes in pieces, and is gone on with. */
const ONE_REQUEST = 16 * 1024 * 1024;
/** Milliseconds for a pull of any size over any connection. */
const PULL_TIMEOUT = 6 * 60 * 60_000;

/** What {@link gatherBundle} is to bring. */
interface Wanted {
  image: Reference;
  record: Reference;
  key: KeyObject;
}

/**
 * Brings all of a release into `directory`, and goes on with what an earlier attempt has left there. It verifies what
 * it brings; whoever unpacks the bundle verifies all of it again.
 *
 * @param progress called with the name of each root, and the bytes of a large blob that are there
 * @throws UserError `signature-rejected`; FlightlineError a registry's failure
 */
export async function gatherBundle(
  access: RegistryAccess,
  wanted: Wanted,
  directory: string,
  progress: (what: string) => void,
): Promise<{ index: BundleIndex; digests: ReadonlySet<string> }> {
  const { record, subjects } = await verifiedRelease(access, wanted, wanted.key);
  const gathering = new Gathering(access, directory, progress);
  await mkdir(join(directory, 'blobs/sha256'), { recursive: true });
  for (const { repository, tag, digest } of subjects) {
    const manifest = await gathering.take(repository, tag, digest);
    for (const entry of indexEntries(manifest, [tag])) {
      for (const own of entry.tags) {
        const isThere = (await access.repository(repository).headManifest(own)) === entry.digest;
        if (isThere) await gathering.take(repository, own, entry.digest);
      }
      await gathering.takeAttached(repository, entry.digest);
    }
    await gathering.takeAttached(repository, digest);
  }
  const publicKey = wanted.key.export({ type: 'spki', format: 'pem' }).toString();
  await gathering.add(POLICY_NAME, policyArtifact(record, wanted.image.repository, publicKey));
  const { roots, digests } = gathering;
  return { index: { image: formatReference(wanted.image), record: formatReference(wanted.record), roots }, digests };
}

class Gathering {
  readonly roots: BundleRoot[] = [];
  /** All that the roots point at. An earlier attempt may have left more in the directory. */
  readonly digests = new Set<string>();
  private readonly access: RegistryAccess;
  private readonly directory: string;
  private readonly progress: (what: string) => void;

  constructor(access: RegistryAccess, directory: string, progress: (what: string) => void) {
    this.access = access;
    this.directory = directory;
    this.progress = progress;
  }

  /** Takes a manifest with all that it points at, as a root. `tag` is null for a referrer. */
  async take(repository: string, tag: string | null, digest: string): Promise<Manifest> {
    const name = tag === null ? `${repository}@${digest}` : `${repository}:${tag}`;
    const client = this.access.repository(repository);
    const stored = await client.getManifest(digest);
    const manifest = stored && parseManifest(stored.bytes);
    if (!stored || !manifest) {
      throw new FlightlineError('image-not-found', `${repository}@${digest} is no longer in the registry`);
    }
    if (!this.roots.some((root) => root.name === name)) {
      this.progress(name);
      this.roots.push({ name, mediaType: typeOf(manifest), digest, size: stored.bytes.length });
      await this.bring(repository, digest, stored.bytes, manifest);
    }
    return manifest;
  }

  /** Takes what is attached to a digest, and what is attached to that. */
  async takeAttached(repository: string, digest: string): Promise<void> {
    const { attached } = await attachedTo(this.access.repository(repository), digest);
    for (const one of attached) {
      const before = this.roots.length;
      await this.take(repository, one.tag, one.digest);
      if (this.roots.length > before) await this.takeAttached(repository, one.digest);
    }
  }

  /** Adds what is in no registry. */
  async add(name: string, { layout, blobs }: ReturnType<typeof policyArtifact>): Promise<void> {
    const documents = layout.documents.map(({ descriptor: { digest }, bytes }) => ({ digest, bytes }));
    for (const { digest, bytes } of [...blobs, ...documents]) await this.write(digest, bytes);
    const { mediaType, digest, size } = layout.root;
    this.roots.push({ name, mediaType, digest, size });
  }

  private async bring(repository: string, digest: string, bytes: Uint8Array, manifest: Manifest): Promise<void> {
    await this.write(digest, bytes);
    const client = this.access.repository(repository);
    for (const entry of manifest.manifests ?? []) {
      const stored = await client.getManifest(entry.digest);
      const inner = stored && parseManifest(stored.bytes);
      if (!stored || !inner) {
        throw new FlightlineError('image-not-found', `${repository}@${entry.digest} is no longer in the registry`);
      }
      await this.bring(repository, entry.digest, stored.bytes, inner);
    }
    for (const blob of blobsOf(manifest)) {
      const path = layoutBlobPath(this.directory, blob.digest);
      this.digests.add(blob.digest);
      if (existsSync(path)) continue;
      if (blob.size <= ONE_REQUEST) {
        const content = await client.getBlob(blob.digest, ONE_REQUEST);
        if (!content) throw new FlightlineError('image-not-found', `${repository} has no blob ${blob.digest}`);
        await this.write(blob.digest, content);
        continue;
      }
      const tell = (at: number) => this.progress(`${repository}@${digest}: ${at} of ${blob.size} bytes`);
      await downloadBlob(client, blob, path, tell);
      // A registry that gives no parts of blobs: skopeo asks in its own way.
      if (!existsSync(path)) await this.copy(repository, digest);
    }
  }

  private async copy(repository: string, digest: string): Promise<void> {
    const copy = { source: `docker://${repository}@${digest}`, destination: `oci:${this.directory}` };
    await copyImage(this.access, copy, { timeout: PULL_TIMEOUT });
  }

  private async write(digest: string, bytes: Uint8Array): Promise<void> {
    const path = layoutBlobPath(this.directory, digest);
    this.digests.add(digest);
    await writeFile(`${path}.new`, bytes);
    await rename(`${path}.new`, path);
  }
}
