/** Starts a release's workflow, with everything an operator wants to see of it in the Web UI. */
import { defineSearchAttributeKey } from '@temporalio/common';
import { RELEASE_WORKFLOW } from '../../model/contract/messages.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { releaseId } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { releaseAttributes, releaseSummary } from '../../model/release/summaries.ts';
import { REQUEST_TIMEOUT, type Temporal } from './connection.ts';
import { grpcDetails, isInvalidArgument, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';

/** A started run. */
export interface Started {
  release: string;
  runId: string;
}

/**
 * Starts the release.
 *
 * @throws UserError `already-running` (exit code 6); `no-control-worker` (3) when no control worker ever prepared the namespace.
 */
export async function startRelease(temporal: Temporal, request: ReleaseRequest): Promise<Started> {
  const release = releaseId(request.repository, request.tag);
  const reference = `${request.repository}:${request.tag}`;
  try {
    const handle = await temporal.within(REQUEST_TIMEOUT, () =>
      temporal.client.workflow.start(RELEASE_WORKFLOW, {
        taskQueue: CONTROL_QUEUE,
        workflowId: release,
        args: [request],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
        typedSearchAttributes: releaseAttributes(request),
        staticSummary: releaseSummary(request),
        staticDetails: staticDetails(request),
      }),
    );
    return { release, runId: handle.firstExecutionRunId };
  } catch (error) {
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') {
      throw alreadyRunning(reference, await isHeld(temporal, release));
    }
    if (isInvalidArgument(error) && /search attribute/i.test(grpcDetails(error))) {
      throw new UserError(
        'no-control-worker',
        `the namespace ${temporal.namespace} is not prepared: ${grpcDetails(error)}`,
        'start a control worker, which prepares it: `flightline worker --role control`',
        EXIT.unavailable,
      );
    }
    throw error;
  }
}

async function isHeld(temporal: Temporal, release: string): Promise<boolean> {
  const description = await temporal.within(REQUEST_TIMEOUT, () =>
    temporal.client.workflow.getHandle(release).describe(),
  );
  return description.typedSearchAttributes.get(defineSearchAttributeKey('FlightlineStatus', 'KEYWORD')) === 'held';
}

function alreadyRunning(reference: string, held: boolean): UserError {
  return new UserError(
    'already-running',
    `a release of ${reference} is already running${held ? ', and is held' : ''}`,
    held
      ? `let it go on: flightline retry ${reference} --spec flightline.yaml   see why: flightline watch ${reference}   begin anew: flightline run --replace   end it: flightline cancel ${reference}`
      : `watch it: flightline watch ${reference}   begin anew: flightline run --replace   end it: flightline cancel ${reference}`,
    EXIT.alreadyRunning,
  );
}

/** Enrollment and secrets, by name. */
function secretLines({ enrollment, secrets = [], pullSecret }: ReleaseRequest): string[] {
  const names = [...secrets.map(({ from }) => from), ...(pullSecret === undefined ? [] : [pullSecret])];
  return [
    ...(enrollment === undefined ? [] : [`- enrollment: ${enrollment.binding} binding`]),
    ...(names.length === 0 ? [] : [`- secrets: ${names.join(', ')}`]),
  ];
}

/** What the release is asked to do, in Markdown, for the workflow's page in the Web UI. No secret is in a request. */
export function staticDetails(request: ReleaseRequest): string {
  const context =
    request.context.kind === 'git'
      ? `${request.context.url} at \`${request.context.ref.slice(0, 12)}\``
      : `\`${request.contextRepository}@${request.context.digest}\``;
  const disks = request.disks.map(
    (disk) =>
      `- ${disk.type}, ${disk.publish === 'none' ? 'not published' : `as ${disk.publish} in \`${disk.repository}\``}` +
      `${disk.compress === 'none' ? '' : ` (${disk.compress})`}`,
  );
  return [
    `**${request.name}** → \`${request.repository}:${request.tag}\``,
    '',
    `- also tagged: ${request.alsoTag.join(', ') || 'nothing'} (policy: ${request.tagPolicy})`,
    `- context: ${context}`,
    `- commit: ${request.commit ?? 'none, or not clean'}`,
    `- architecture: ${request.architecture}`,
    `- signing key: ${request.key}`,
    ...secretLines(request),
    `- builder: \`${request.builder.image}\``,
    '',
    // Without the empty line the Web UI takes the list for more of the paragraph.
    ...(disks.length > 0 ? ['**Disks**', '', ...disks] : ['No disks.']),
  ].join('\n');
}
