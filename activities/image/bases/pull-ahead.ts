/** Pulls the builder while the image is built: it is a gigabyte that the disk build would wait for. */
import type { BuildInput } from '../../../model/contract/build.ts';
import { isAllowed } from '../../../model/spec/worker-configuration.ts';
import { pullForRelease } from './pulled-images.ts';
import type { Task } from '../../tools/process/task.ts';
import { repositoryOf } from '../../tools/podman/build.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import type { HostContext } from '../../host/work-directory.ts';

type Wanted = Pick<BuildInput, 'builder' | 'release' | 'timing'>;

/**
 * Runs `body`, and pulls the builder beside it from when `body` calls what it is given: once the bases are there, of
 * which the builder may share layers, which would be pulled twice. Answers when both have ended; a `body` that fails
 * ends the pull. That the pull fails is no failure here: the disk build, which may run on another host, pulls it again
 * and says what is wrong.
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
