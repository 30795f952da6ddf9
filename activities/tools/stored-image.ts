/** Reads images from their registry as they are for a platform. */
import type { z } from 'zod';
import { FlightlineError } from '../../model/failure/failure.ts';
import { ImageConfiguration, type PlatformImage } from '../../model/oci/image-diff.ts';
import { manifestKind, parseManifest, platformEntries, type Manifest } from '../../model/oci/manifest.ts';
import type { ImageManifest } from '../../model/oci/update-cost.ts';
import type { ManifestReader } from './registry/reading/manifest-reader.ts';
import type { RepositoryClient, StoredManifest } from './registry/repository.ts';
import { allEnded } from './together.ts';

/** Bytes of a configuration; those of images are a few kilobytes. */
const MAX_CONFIGURATION = 4 * 1024 * 1024;

/** What a schema reads of an image's configuration; null when that is lost, or cannot be read. */
export async function configurationOf<Schema extends z.ZodType>(
  repository: ManifestReader,
  manifest: Manifest | undefined,
  schema: Schema,
): Promise<z.output<Schema> | null> {
  const digest = manifest?.config?.digest;
  const bytes = digest === undefined ? null : await repository.getBlob(digest, MAX_CONFIGURATION);
  try {
    return schema.parse(JSON.parse(String(bytes)));
  } catch {
    return null;
  }
}

/** The image of a manifest, or of an index's entry for Linux on an architecture; null when there is none. */
export async function imageFor(
  repository: RepositoryClient,
  stored: StoredManifest,
  architecture: string,
): Promise<ImageManifest | null> {
  const manifest = parseManifest(stored.bytes);
  if (!manifest?.manifests) return imageOf(stored);
  const entry = platformEntries(manifest).find(({ platform }) => platform === `linux/${architecture}`);
  const found = entry && (await repository.getManifest(entry.digest));
  return found ? imageOf(found) : null;
}

function imageOf({ digest, bytes }: StoredManifest): ImageManifest | null {
  const manifest = parseManifest(bytes);
  return manifest && !manifest.manifests ? { digest, size: bytes.length, manifest } : null;
}

/**
 * The image that a tag or digest points at, for each of its platforms.
 *
 * @param named for messages
 * @throws FlightlineError `image-not-found`, `invalid-input` for what is no image, or a registry's failure
 */
export async function platformImages(
  repository: RepositoryClient,
  reference: string,
  named = `${repository.repository}${reference.includes(':') ? '@' : ':'}${reference}`,
): Promise<PlatformImage[]> {
  const stored = await repository.getManifest(reference);
  if (!stored) throw new FlightlineError('image-not-found', `${named} is not in the registry`);
  const manifest = parseManifest(stored.bytes);
  if (!manifest || manifestKind(manifest).kind === 'artifact') {
    throw new FlightlineError('invalid-input', `${named} is not an image`, {
      remedy: 'name two images: disks and records are artifacts, which have no layers to compare',
    });
  }
  if (!manifest.manifests) return [await withConfiguration(repository, named, stored)];
  return allEnded(
    platformEntries(manifest).map(async ({ digest }) => {
      const entry = await repository.getManifest(digest);
      if (!entry) throw new FlightlineError('image-not-found', `${named} has lost its entry ${digest}`);
      return withConfiguration(repository, named, entry);
    }),
  );
}

async function withConfiguration(
  repository: RepositoryClient,
  named: string,
  stored: StoredManifest,
): Promise<PlatformImage> {
  const image = imageOf(stored);
  const configuration = await configurationOf(repository, image?.manifest, ImageConfiguration);
  if (!image || !configuration) {
    throw new FlightlineError('image-not-found', `${named} has lost its configuration, or it cannot be read`);
  }
  return { platform: `${configuration.os}/${configuration.architecture}`, image, configuration };
}
