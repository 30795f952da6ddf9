/** Looks up an image for a platform. */
import type { z } from 'zod';
import type { Architecture } from '../../../model/base/host.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { ImageConfiguration } from '../../../model/oci/image-diff.ts';
import { parseManifest, platformEntries } from '../../../model/oci/manifest.ts';
import { parseReference } from '../../../model/oci/reference.ts';
import type { PinnedImage } from '../../../model/release/record.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import { configurationOf } from '../../tools/stored-image.ts';

/** The part of an image's configuration that tells what it is for. */
const Platform = ImageConfiguration.pick({ architecture: true, os: true });

/**
 * Looks up a mutable reference for Linux on an architecture. An index has an entry for it.
 *
 * @param where names the image: `the Containerfile`
 * @param known what it was before: with the same digest nothing more is read, which some registries count as a pull
 * @throws FlightlineError `image-not-found`, or `platform-missing` for an image of other platforms only
 */
export async function findForPlatform(
  access: RegistryAccess,
  image: string,
  where: string,
  architecture: Architecture,
  known?: PinnedImage,
): Promise<PinnedImage> {
  const parsed = parseReference(image);
  if (!parsed.ok) throw new FlightlineError('invalid-input', parsed.problem);
  const { tag = 'latest', digest: written = tag } = parsed.reference;
  const repository = access.images(parsed.reference.repository);
  if (known?.reference === image && (await repository.headManifest(written)) === known.digest) return known;
  const stored = await repository.getManifest(written);
  if (!stored) throw new FlightlineError('image-not-found', `${image}, named by ${where}, is not in its registry`);
  const { digest } = stored;
  const manifest = parseManifest(stored.bytes);
  const entries = manifest?.manifests
    ? platformEntries(manifest)
    : [{ digest, platform: platformOf(await configurationOf(repository, manifest, Platform)) }];
  const wanted = `linux/${architecture}`;
  const entry = entries.find(({ platform }) => platform === wanted || platform === null);
  if (!entry) {
    const there = [...new Set(entries.map(({ platform }) => platform))].join(', ') || 'no platform';
    throw new FlightlineError('platform-missing', `${image}, named by ${where}, is for ${there}, not for ${wanted}`);
  }
  return { reference: image, digest, ...(entry.digest !== digest && { manifest: entry.digest }) };
}

/** What an image is for; null when its configuration does not tell. */
function platformOf(configuration: z.infer<typeof Platform> | null): string | null {
  return configuration && configuration.architecture !== ''
    ? `${configuration.os}/${configuration.architecture}`
    : null;
}
