/** The `plan` activity of a dry run: what resolve would answer, with nothing sent. */
import type { ControlActivities } from '../../model/contract/contract.ts';
import { PlanInput, type ContextSummary } from '../../model/contract/dry-run.ts';
import { FlightlineError } from '../../model/release/failure.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withGitContext } from '../context/git-context.ts';
import { requireWebhooks } from '../notify.ts';
import { summariseContext } from '../context/summary.ts';
import { compareWithLast, lookUp } from './resolve.ts';
import { stage } from '../frame.ts';

/** Makes the activity. */
export function makePlan({ configuration }: { configuration: WorkerConfiguration }): ControlActivities['plan'] {
  return stage('plan', PlanInput, async ({ request, context }) => {
    const summary = context ?? (await gitContext(request, configuration));
    requireWebhooks(configuration, request.notify ?? []);
    const since = await compareWithLast(configuration, request, () => Promise.resolve(summary));
    return { ...(await lookUp(configuration, request, summary, since)), base: summary.base };
  });
}

function gitContext(request: ReleaseRequest, configuration: WorkerConfiguration): Promise<ContextSummary> {
  if (request.context.kind !== 'git') {
    throw new FlightlineError('invalid-input', 'the context of a dry run is summarised by whoever has its files');
  }
  return withGitContext(request.context, configuration.git.schemes, ({ facts, digest }) =>
    Promise.resolve(summariseContext(request, digest, facts)),
  );
}
