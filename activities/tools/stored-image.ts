/** Reads the manifest of an image for one platform from its registry. */
import { parseManifest } from '../../model/oci/manifest.ts';
import type { ImageManifest } from '../../model/oci/update-cost.ts';
import type { RepositoryClient, StoredManifest } from './registry/repository.ts';

/** The image of a manifest, or of an index's entry for Linux on an architecture; null when there is none. */
export async function imageFor(
  repository: RepositoryClient,
  { digest, bytes }: StoredManifest,
  architecture: string,
): Promise<ImageManifest | null> {
  const manifest = parseManifest(bytes);
  if (!manifest) return null;
  if (!manifest.manifests) return { digest, size: bytes.length, manifest };
  const entry = manifest.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  const stored = entry && (await repository.getManifest(entry.digest));
  const inner = stored && parseManifest(stored.bytes);
  return inner ? { digest: stored.digest, size: stored.bytes.length, manifest: inner } : null;
}
