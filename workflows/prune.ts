/** The `prune` workflow: removes old releases from a repository, or reports which it would remove. */
import { ActivityFailure } from '@temporalio/common';
import { setHandler, workflowInfo } from '@temporalio/workflow';
import {
  PRUNE_REASONS,
  PruneRequest,
  type PruneGroup,
  type PruneReport,
  type PruneResult,
} from '../model/release/prune.ts';
import type { PrunePage } from '../model/contract/sign.ts';
import { failureFrom, parseInput, toTemporalFailure } from './failure.ts';
import { pruneReportQuery } from './signals-and-queries.ts';
import { activities } from './activities.ts';
import { showDetails } from './details.ts';

/** Prunes. Returns the counts; a query returns the whole report. */
export async function prune(input: PruneRequest): Promise<PruneResult> {
  const request = parseInput(PruneRequest, input);
  const { repository, dryRun } = request;
  const { workflowId, runId } = workflowInfo();
  const report: PruneReport = { schemaVersion: 1, repository, dryRun, removed: [], kept: [] };
  setHandler(pruneReportQuery, () => report);
  const worker = activities('prune', request.timing, `prune ${repository}`);
  const asked = { release: workflowId, runId, request };
  /** All pages of the current decision. */
  const look = async (): Promise<PruneGroup[]> => {
    const groups: PruneGroup[] = [];
    for (let from: number | null = 0; from !== null;) {
      const page: PrunePage = await worker.planPrune({ ...asked, from });
      groups.push(...page.groups);
      from = page.next;
    }
    return merged(groups);
  };
  try {
    const planned = await look();
    report.removed = planned.filter(({ verdict }) => verdict === 'remove');
    report.kept = planned.filter(({ verdict }) => verdict === 'keep');
    if (!dryRun && report.removed.length > 0) {
      for (let left = Number.MAX_SAFE_INTEGER, before = left; left > 0 && left <= before;) {
        before = left;
        ({ left } = await worker.prune(asked));
      }
      // What a release has come to need meanwhile was not removed, and is listed as kept.
      report.kept = await look();
      report.removed = without(report.removed, report.kept);
    }
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const failure = failureFrom(error, null);
    throw toTemporalFailure(failure, failure);
  }
  showDetails(details(report));
  return { removed: count(report.removed), kept: count(report.kept) };
}

function count(groups: readonly PruneGroup[]): number {
  return groups.reduce((sum, { tags }) => sum + tags.length, 0);
}

/** Merges the groups of several pages. */
function merged(groups: readonly PruneGroup[]): PruneGroup[] {
  const found: PruneGroup[] = [];
  for (const group of groups) {
    const { kind, verdict, reason } = group;
    const same = found.find((one) => one.kind === kind && one.verdict === verdict && one.reason === reason);
    if (same) same.tags.push(...group.tags);
    else found.push({ ...group, tags: [...group.tags] });
  }
  return found;
}

function without(groups: readonly PruneGroup[], standing: readonly PruneGroup[]): PruneGroup[] {
  return groups.flatMap((group) => {
    const stands = new Set(standing.filter(({ kind }) => kind === group.kind).flatMap(({ tags }) => tags));
    const tags = group.tags.filter((tag) => !stands.has(tag));
    return tags.length > 0 ? [{ ...group, tags }] : [];
  });
}

function details({ repository, dryRun, removed, kept }: PruneReport): string {
  const rows = [...removed, ...kept].map(
    ({ kind, verdict, reason, tags }) => `| ${kind} | ${verdict} | ${tags.length} | ${PRUNE_REASONS[reason]} |`,
  );
  const title = `### ${dryRun ? 'Dry run: ' : ''}prune of ${repository}`;
  return [title, '', '| | verdict | tags | why |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
