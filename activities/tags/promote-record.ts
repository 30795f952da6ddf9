/** The `promoteRecord` activity of sign workers: records a promoted release under its new name. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PromoteRecordInput } from '../../model/contract/tags.ts';
import { promotedRecord } from '../../model/tags/promotion.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { Task } from '../tools/process/task.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { allowedKey, openKey } from '../trust/keys.ts';
import { findRecord } from '../trust/record.ts';
import { audit } from '../trust/sign.ts';
import { recordNotSigned } from './not-promotable.ts';
import { writeRecord } from './record.ts';
import type { WorkerBody } from '../server.ts';

async function promoteRecord(
  { configuration }: { configuration: WorkerConfiguration },
  input: PromoteRecordInput,
  context: Task,
): Promise<ActivityAnswer<'promoteRecord'>> {
  const { request, timing } = input;
  const { target } = request;
  const { recordRepository } = input.plan;
  const key = await openKey(configuration, input.plan.key, [recordRepository]);
  const { publicKey } = allowedKey(configuration, input.plan.sourceKey, [request.recordRepository]);
  const image = input.plan.items.at(-1)!;
  const repositories = [request.recordRepository, recordRepository, target.repository];
  return withRegistryAccess(configuration, repositories, async (access) => {
    const from = { repository: request.recordRepository, tag: request.source.tag, at: input.plan.record };
    const found = await findRecord(access, from, publicKey);
    if (!found) throw recordNotSigned(request);
    const record = promotedRecord(found.record, input);
    const shared = { tags: [target.tag], repository: target.repository, digest: image.digest };
    const named = { repository: recordRepository, tags: [target.tag], shared, record, timing };
    return { digest: await writeRecord(access, key, named, audit(context, input.plan.key, input.release)) };
  });
}

export default promoteRecord satisfies WorkerBody<'promoteRecord'>;
