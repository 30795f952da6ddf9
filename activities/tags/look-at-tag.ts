/** The `lookAtTag` activity of control workers: reads what a shared tag points at, and its record. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { madeAt, type LookAtTagInput, type TagNow } from '../../model/tags/shared-tag.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { recordByAnyKey } from './record-by-any-key.ts';
import type { WorkerBody } from '../server.ts';

function lookAtTag(
  { configuration }: { configuration: WorkerConfiguration },
  input: LookAtTagInput,
): Promise<ActivityAnswer<'lookAtTag'>> {
  return withRegistryAccess(configuration, [input.repository, input.recordRepository], (access) =>
    look(access, configuration, input),
  );
}

async function look(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { repository, tag, recordRepository }: LookAtTagInput,
): Promise<TagNow> {
  const digest = await access.repository(repository).headManifest(tag);
  if (digest === null) return { digest, record: null };
  const found = await recordByAnyKey(access, configuration, { repository: recordRepository, tag });
  // A record about another image does not describe this one.
  if (!found || found.record.image.digest !== digest) return { digest, record: null };
  const { record } = found;
  return { digest, record: { digest: found.digest, release: record.release, made: madeAt(record) } };
}

export default lookAtTag satisfies WorkerBody<'lookAtTag'>;
