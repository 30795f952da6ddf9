/** What the Temporal server knows of releases, for tests. */
import { Client, Connection } from '@temporalio/client';
import { RECORD_QUERY, type BuilderRunResult } from '../../model/contract/workflows.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import type { DiskType } from '../../model/spec/disk.ts';
import type { StackFacts } from './stack.ts';

/** Questions about releases, named `repository:tag`. */
export interface Releases {
  client: Client;
  /** `true` while it runs or is held; `false` also when it was never started. */
  isOpen(release: string): Promise<boolean>;
  /** Its record as of now; fails within ten seconds while no control worker answers. */
  record(release: string): Promise<ReleaseRecord>;
  /** Asks for its end; the clean-up goes on after it. Nothing happens to one that has ended. */
  cancel(release: string): Promise<void>;
  /** What its pending activities failed with last, in words. */
  waitingFor(release: string): Promise<string[]>;
  /** Types of its pending activities. */
  pending(release: string): Promise<string[]>;
  /** Those of its builder runs, named by their one type, that have ended well. */
  finishedRuns<Type extends DiskType>(release: string, types: readonly Type[]): Promise<Type[]>;
  runResult(release: string, type: DiskType): Promise<BuilderRunResult>;
  close(): Promise<void>;
}

/** With no control worker a query is never answered (ms). */
const QUERY_WITHIN = 10_000;

/** Opens a connection of its own. */
export async function openReleases(facts: Pick<StackFacts, 'temporalAddress'>): Promise<Releases> {
  const connection = await Connection.connect({ address: facts.temporalAddress });
  const client = new Client({ connection });
  const workflow = (release: string) => client.workflow.getHandle(`release/${release}`);
  const run = (release: string, type: DiskType) =>
    client.workflow.getHandle<() => Promise<BuilderRunResult>>(builderRunId(`release/${release}`, type));
  const statusOf = async (handle: { describe(): Promise<{ status: { name: string } }> }) => {
    try {
      return (await handle.describe()).status.name;
    } catch (error) {
      if (error instanceof Error && error.name === 'WorkflowNotFoundError') return 'NONE';
      throw error;
    }
  };
  return {
    client,
    isOpen: async (release) => (await statusOf(workflow(release))) === 'RUNNING',
    record: (release) =>
      connection.withDeadline(Date.now() + QUERY_WITHIN, () => workflow(release).query<ReleaseRecord>(RECORD_QUERY)),
    cancel: async (release) => {
      await workflow(release)
        .cancel()
        .catch((error: unknown) => {
          if (!(error instanceof Error && error.name === 'WorkflowNotFoundError')) throw error;
        });
    },
    waitingFor: async (release) => {
      const { raw } = await workflow(release).describe();
      return (raw.pendingActivities ?? []).flatMap(({ lastFailure }) => lastFailure?.message ?? []);
    },
    pending: async (release) => {
      const { raw } = await workflow(release).describe();
      return (raw.pendingActivities ?? []).flatMap(({ activityType }) => activityType?.name ?? []);
    },
    finishedRuns: async (release, types) => {
      const statuses = await Promise.all(types.map((type) => statusOf(run(release, type))));
      return types.filter((_, index) => statuses[index] === 'COMPLETED');
    },
    runResult: (release, type) => run(release, type).result(),
    close: () => connection.close(),
  };
}
