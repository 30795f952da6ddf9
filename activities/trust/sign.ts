/** The `sign` activity: one signature for each name, before any tag is written. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { SignInput } from '../../model/contract/sign.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey } from './keys.ts';
import { signDigest, type SignatureWritten } from './signatures.ts';
import type { Task } from '../tools/process/task.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import type { WorkerBody } from '../server.ts';

/** The `sign` activity of sign workers. */
async function signSubject(
  worker: { configuration: WorkerConfiguration },
  input: SignInput,
  context: Task,
): Promise<ActivityAnswer<'sign'>> {
  const { repository, digest, tags, timing } = input;
  const key = await openKey(worker.configuration, input.key, [repository]);
  return withRegistryAccess(worker.configuration, [repository], async (access) => {
    const written = audit(context, input.key, input.release);
    const signed = await signDigest(access, key, { repository, digest, tags }, { timeout: timing.command, written });
    return { signed };
  });
}

/** Writes an audit line for each signature into the worker's log. */
export function audit(context: Task, key: string, release: string): (signature: SignatureWritten) => void {
  return ({ repository, digest, tag }) =>
    context.log('INFO', `signed ${repository}:${tag}@${digest} with the key "${key}"`, {
      audit: 'signature',
      key,
      repository,
      tag,
      digest,
      release,
    });
}

export default signSubject satisfies WorkerBody<'sign'>;
