/** The `plan` activity of a dry run: the result of resolve, without sending anything. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PlanInput, ContextSummary } from '../../model/contract/dry-run.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withGitContext } from '../context/git-context.ts';
import { summariseContext } from '../context/summary.ts';
import { requirePermitted } from './permitted.ts';
import { compareWithLast, lookUp } from './resolve.ts';
import type { WorkerBody } from '../server.ts';

async function planRelease(
  { configuration }: { configuration: WorkerConfiguration },
  { request, context }: PlanInput,
): Promise<ActivityAnswer<'plan'>> {
  requirePermitted(configuration, request);
  const summary = context ?? (await gitContext(request, configuration));
  const since = await compareWithLast(configuration, request, () => Promise.resolve(summary));
  const resolved = await lookUp(configuration, request, summary, since);
  const notFound = summary.images.filter((image) => !resolved.bases.some(({ reference }) => reference === image));
  return { ...resolved, base: summary.base, notFound };
}

function gitContext(request: ReleaseRequest, configuration: WorkerConfiguration): Promise<ContextSummary> {
  if (request.context.kind !== 'git') {
    throw new FlightlineError('invalid-input', 'the context of a dry run is summarised by whoever has its files');
  }
  return withGitContext(request.context, configuration.git.schemes, ({ facts, digest }) =>
    Promise.resolve(summariseContext(request, digest, facts)),
  );
}

export default planRelease satisfies WorkerBody<'plan'>;
