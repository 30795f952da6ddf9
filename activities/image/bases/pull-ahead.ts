/** Pulls the builder while the image is built, so that the disk build does not wait for a gigabyte. */
import type { BuildInput } from '../../../model/contract/build.ts';
import { isAllowed } from '../../../model/spec/worker-configuration.ts';
import { pullForRelease } from './pulled-images.ts';
import type { Task } from '../../tools/process/task.ts';
import { repositoryOf } from '../../tools/podman/build.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import type { HostContext } from '../../host/work-directory.ts';

type Wanted = Pick<BuildInput, 'builder' | 'release' | 'timing'>;

/**
 * Pulls the builder while `body` runs. `body` starts the pull once the bases are present, so that shared layers are
 * pulled once. Returns when both have ended; a `body` that fails ends the pull. A failed pull is ignored: the disk
 * build, which may run on another host, pulls again.
 */
export async function withBuilderPulled<Result>(
  host: HostContext,
  input: Wanted,
  context: Pick<Task, 'report'>,
  body: (pull: () => void) => Promise<Result>,
): Promise<Result> {
  const ending = new AbortController();
  let pulling: Promise<void> | undefined;
  try {
    const result = await body(() => {
      pulling ??= pullBuilder(host, input, ending.signal).catch(() => undefined);
    });
    if (pulling && input.builder) context.report({ step: `pulling ${input.builder.reference}` });
    return result;
  } catch (error) {
    ending.abort();
    throw error;
  } finally {
    await pulling;
  }
}

async function pullBuilder(host: HostContext, { builder, release, timing }: Wanted, end: AbortSignal): Promise<void> {
  if (!builder) return;
  const repository = repositoryOf(builder.reference);
  if (!isAllowed(host.configuration.builders, repository)) return;
  await withRegistryAccess(host.configuration, [repository], async (access) => {
    await pullForRelease(host.work, release, access, { repository, digest: builder.digest }, timing, end);
  });
}
