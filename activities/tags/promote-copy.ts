/** The `promoteCopy` activity of sign workers: copies a digest to the target's repository, if possible by mounting. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PromoteCopyInput } from '../../model/contract/tags.ts';
import { registryOf } from '../../model/oci/reference.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { allowedKey } from '../trust/keys.ts';
import { carryOver } from './carry-over.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { mountManifest } from '../tools/registry/mount.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
import type { WorkerBody } from '../server.ts';

async function promoteCopy(
  { configuration }: { configuration: WorkerConfiguration },
  input: PromoteCopyInput,
): Promise<ActivityAnswer<'promoteCopy'>> {
  const { item, key, timing } = input;
  allowedKey(configuration, key, [item.to.repository]);
  return withRegistryAccess(configuration, [item.from.repository, item.to.repository], async (access) => {
    const copied = await copyDigest(access, item, timing);
    await carryOver(access, configuration, input);
    return copied;
  });
}

async function copyDigest(
  access: RegistryAccess,
  { digest, from, to }: PromoteCopyInput['item'],
  { transferStartToClose: timeout, stall }: PromoteCopyInput['timing'],
): Promise<{ mounted: number | null }> {
  if (from.repository === to.repository) return { mounted: 0 };
  const isMountable = registryOf(from.repository) === registryOf(to.repository);
  const [source, target] = [access.repository(from.repository), access.repository(to.repository)];
  const mounted = isMountable ? await mountManifest(source, target, digest) : null;
  if (mounted) return mounted;
  const name = (repository: string) => `docker://${repository}@${digest}`;
  await copyImage(access, { source: name(from.repository), destination: name(to.repository) }, { timeout, stall });
  return { mounted: null };
}

export default promoteCopy satisfies WorkerBody<'promoteCopy'>;
