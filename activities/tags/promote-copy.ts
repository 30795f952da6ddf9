/** The `promoteCopy` activity of sign workers: copies a digest to the target's repository, if possible by mounting. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PromoteCopyInput } from '../../model/contract/tags.ts';
import { registryOf } from '../../model/oci/reference.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { allowedKey } from '../trust/keys.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { mountManifest } from '../tools/registry/mount.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
import type { WorkerBody } from '../server.ts';

async function promoteCopy(
  { configuration }: { configuration: WorkerConfiguration },
  { item, key, timing }: PromoteCopyInput,
): Promise<ActivityAnswer<'promoteCopy'>> {
  const { digest, from, to } = item;
  allowedKey(configuration, key, [to.repository]);
  if (from.repository === to.repository) return { mounted: 0 };
  return withRegistryAccess(configuration, [from.repository, to.repository], async (access) => {
    const names = { from: from.repository, to: to.repository };
    const isMountable = registryOf(names.from) === registryOf(names.to);
    const [source, target] = [access.repository(names.from), access.repository(names.to)];
    const mounted = isMountable ? await mountManifest(source, target, digest) : null;
    if (mounted) return mounted;
    const name = (repository: string) => `docker://${repository}@${digest}`;
    await copyImage(
      access,
      { source: name(names.from), destination: name(names.to) },
      { timeout: timing.transferStartToClose, stall: timing.stall },
    );
    return { mounted: null };
  });
}

export default promoteCopy satisfies WorkerBody<'promoteCopy'>;
