/**
 * The `keepLogs` activity: sends this host's logs of a release to the registry as an artifact, which remains when the
 * host has removed them. The record names its digest; a tag made of the digest keeps garbage collectors away.
 */
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { Task } from '../../tools/process/task.ts';
import type { KeepLogsInput } from '../../../model/contract/host.ts';
import { contextTag } from '../../../model/oci/reference.ts';
import { withRegistryAccess, type RegistryAccess } from '../../tools/registry/access.ts';
import { sendArtifact } from '../../tools/registry/send-artifact.ts';
import type { HostBody, HostContext } from '../work-directory.ts';
import { type PackedLogs, packLogs } from './packed-logs.ts';

async function keepHostLogs(
  host: Pick<HostContext, 'name' | 'work' | 'configuration'>,
  input: KeepLogsInput,
  context: Task,
): Promise<ActivityAnswer<'keepLogs'>> {
  context.report({ host: host.name });
  const packed = await packLogs(host, input);
  if (!packed) return { host: host.name, digest: null };
  const { repository, timing } = input;
  await withRegistryAccess(host.configuration, [repository], (access) =>
    sendLogs(access, repository, packed, timing.command),
  );
  return { host: host.name, digest: packed.layout.root.digest };
}

async function sendLogs(
  access: RegistryAccess,
  repository: string,
  packed: PackedLogs,
  timeout: number,
): Promise<void> {
  const { digest } = packed.layout.root;
  const tag = contextTag(digest);
  if ((await access.repository(repository).headManifest(tag)) === digest) return;
  await sendArtifact(access, { repository, tag }, packed, { timeout });
}

export default keepHostLogs satisfies HostBody<'keepLogs'>;
