/** Pulls the builder while the image is built, so that the disk build does not wait for a gigabyte. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { BuildInput } from '../../../model/contract/build.ts';
import { isAllowed } from '../../../model/spec/worker-configuration.ts';
import { pullForRelease } from './pulled-images.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { endingTask, runTask, type Task } from '../../tools/process/task.ts';
import { repositoryOf } from '../../tools/podman/build.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import type { HostContext } from '../../host/work-directory.ts';

/** Milliseconds for which a build goes on, once the builder is there, before the builder is asked anything. */
const LOOK_AFTER = 3_000;

type Wanted = Pick<BuildInput, 'builder' | 'release' | 'timing'>;

/**
 * Begins to pull the builder. Once it is there, `look` may ask it something, and answers why the build must end. What
 * is returned ends the look, but not the pull.
 */
export type PullBuilder = (look?: (end: AbortSignal) => Promise<FlightlineError | undefined>) => () => void;

/**
 * Pulls the builder while `body` runs. `body` starts the pull once the bases are present, so that shared layers are
 * pulled once. Returns when both have ended; when one fails, the other is ended. A failed pull is ignored: the disk
 * build, which may run on another host, pulls again. A look that has not ended with the body is ended: the disk build
 * is about to ask the same.
 *
 * @param context of the activity; `body` gets one that a look may end
 */
export async function withBuilderPulled<Result>(
  host: HostContext,
  input: Wanted,
  context: Task,
  body: (context: Task, pull: PullBuilder) => Promise<Result>,
): Promise<Result> {
  const ending = new AbortController();
  const looking = new AbortController();
  const refusing = new AbortController();
  let pulling: Promise<void> | undefined;
  const pullAndLook = async (look: Parameters<PullBuilder>[0]) => {
    await pullBuilder(host, input, ending.signal);
    // Of a build that ends soon the disk build asks soon enough.
    await sleep(LOOK_AFTER, undefined, { signal: looking.signal });
    const refusal = await look?.(looking.signal);
    if (refusal) refusing.abort(refusal);
  };
  const pull: PullBuilder = (look) => {
    // What cannot be found out here, the disk build will.
    pulling ??= runTask(context, () => pullAndLook(look)).catch(() => undefined);
    return () => looking.abort();
  };
  const task = endingTask(context, refusing.signal);
  try {
    const result = await runTask(task, () => body(task, pull));
    if (pulling && input.builder) context.report({ step: `pulling ${input.builder.reference}` });
    return result;
  } catch (error) {
    ending.abort();
    throw error;
  } finally {
    looking.abort();
    await pulling;
  }
}

async function pullBuilder(host: HostContext, { builder, release, timing }: Wanted, end: AbortSignal): Promise<void> {
  if (!builder) return;
  const repository = repositoryOf(builder.reference);
  if (!isAllowed(host.configuration.builders, repository)) {
    throw new FlightlineError('builder-not-allowed', `${host.name} may not run the builder ${builder.reference}`);
  }
  await withRegistryAccess(host.configuration, [repository], async (access) => {
    await pullForRelease(host.work, release, access, { repository, digest: builder.digest }, timing, end);
  });
}
