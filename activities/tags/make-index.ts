/** The `index` activity: joins what was pushed for each platform in an index, which is pushed by its digest. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { IndexInput } from '../../model/contract/sign.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { imageIndex } from '../../model/oci/image-index.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { together } from '../tools/together.ts';
import type { WorkerBody } from '../server.ts';

/** Equal entries give an equal index. */
async function makeIndex(
  { configuration }: { configuration: WorkerConfiguration },
  { repository, entries }: IndexInput,
): Promise<ActivityAnswer<'index'>> {
  return withRegistryAccess(configuration, [repository], async (access) => {
    const images = access.repository(repository);
    const manifests = await together(entries, async ({ platform, digest }) => {
      const stored = await images.getManifest(digest);
      if (!stored) throw new FlightlineError('disk-vanished', `${repository}@${digest} is no longer in the registry`);
      const artifactType = parseManifest(stored.bytes)?.artifactType ?? undefined;
      return { mediaType: stored.mediaType, digest, size: stored.bytes.length, architecture: platform, artifactType };
    });
    const { descriptor, bytes } = imageIndex(manifests);
    const { digest, mediaType } = descriptor;
    await images.putManifest(digest, { mediaType, bytes: Buffer.from(bytes) });
    return { digest };
  });
}

export default makeIndex satisfies WorkerBody<'index'>;
