/** The `keyRotation` workflow: signs what is live in a repository with another key as well, or says what it would. */
import { ActivityFailure } from '@temporalio/common';
import { setHandler, workflowInfo } from '@temporalio/workflow';
import {
  isRotated,
  ROTATION_REASONS,
  RotationRequest,
  type RotationGroup,
  type RotationReport,
} from '../../model/tags/rotation.ts';
import { activities } from '../activities.ts';
import { failureFrom, parseInput, toTemporalFailure } from '../failure.ts';
import { rotationReportQuery } from '../signals-and-queries.ts';
import { showDetails } from '../details.ts';

/** Rotates. Returns whether it is complete; a query returns the whole report. */
export async function keyRotation(input: RotationRequest): Promise<Pick<RotationReport, 'complete'>> {
  const request = parseInput(RotationRequest, input);
  const { repository, oldKey, newKey, dryRun } = request;
  const { workflowId, runId } = workflowInfo();
  const report: RotationReport = {
    schemaVersion: 1,
    repository,
    oldKey,
    newKey,
    dryRun,
    tags: [],
    complete: false,
  };
  setHandler(rotationReportQuery, () => report);
  const worker = activities('prune', request.timing, `rotate ${oldKey} to ${newKey} in ${repository}`);
  const asked = { release: workflowId, runId, request };
  const look = async (): Promise<void> => {
    const groups: RotationGroup[] = [];
    for (let from: number | null = 0; from !== null;) {
      const page: { groups: RotationGroup[]; next: number | null } = await worker.planRotation({ ...asked, from });
      groups.push(...page.groups);
      from = page.next;
    }
    report.tags = merged(groups);
    report.complete = isRotated(groups);
  };
  try {
    await look();
    if (!dryRun && report.tags.some(({ reason }) => reason === 'unsigned')) {
      for (let left = Number.MAX_SAFE_INTEGER, before = left; left > 0 && left <= before;) {
        before = left;
        ({ left } = await worker.rotateKeys(asked));
      }
      await look();
    }
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error;
    const failure = failureFrom(error, null);
    throw toTemporalFailure(failure, failure);
  }
  showDetails(details(report));
  return { complete: report.complete };
}

/** The groups of several pages. */
function merged(groups: readonly RotationGroup[]): RotationGroup[] {
  const found = new Map<RotationGroup['reason'], string[]>();
  for (const { reason, tags } of groups) found.set(reason, [...(found.get(reason) ?? []), ...tags]);
  return [...found].map(([reason, tags]) => ({ reason, tags }));
}

function details({ tags, complete }: RotationReport): string {
  const lines = tags.map(({ reason, tags: named }) => `- ${named.length} tags: ${ROTATION_REASONS[reason]}`);
  return [`complete: ${complete ? 'yes' : 'no'}`, '', ...lines].join('\n');
}
