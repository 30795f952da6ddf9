/** `flightline logs`: a stage's whole log, page by page from the host that has it. */
import { randomUUID } from 'node:crypto';
import { LogPageResult } from '../../spec/contract.ts';
import { LOG_WORKFLOW } from '../../spec/messages.ts';
import type { LogLocation } from '../../spec/failure.ts';
import { CONTROL_QUEUE } from '../../spec/queue.ts';
import type { ReleaseRecord } from '../../spec/record.ts';
import { STAGES, type Stage } from '../../spec/stage.ts';
import { DEFAULT_TIMING } from '../../spec/timing.ts';
import { awaitControlWorker, withTemporal, type Temporal } from '../connection.ts';
import { UserError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { referenceOf, releaseIdOf } from '../release-name.ts';
import { failureOfError, openRelease } from '../release-view.ts';

/** A log that the record knows of. */
export interface KnownLog extends LogLocation {
  stage: string;
  /** Empty for the log of a failure whose stage is not in the table. */
  subject: string;
  /** ISO 8601; null when it is not known. */
  startedAt: string | null;
}

/** Every log of a record, in the order of its stages, each once. */
export function knownLogs(record: ReleaseRecord): KnownLog[] {
  const found: KnownLog[] = record.stages.flatMap((row) =>
    row.log ? [{ ...row.log, stage: row.name, subject: row.subject, startedAt: row.startedAt }] : [],
  );
  const { failure } = record;
  if (failure?.log) found.push({ ...failure.log, stage: failure.stage ?? 'failure', subject: '', startedAt: null });
  return found.filter(
    (log, index) => found.findIndex((other) => other.host === log.host && other.path === log.path) === index,
  );
}

/** The logs to print: those of a stage; without one the log of the failure, else of the stage that began last. */
export function chooseLogs(record: ReleaseRecord, stage: Stage | undefined): KnownLog[] {
  const known = knownLogs(record);
  if (stage !== undefined) return known.filter((log) => log.stage === stage);
  const failed = record.failure?.log;
  const chosen = failed
    ? known.find((log) => log.host === failed.host && log.path === failed.path)
    : known.toSorted((left, right) => (left.startedAt ?? '').localeCompare(right.startedAt ?? '')).at(-1);
  return chosen ? [chosen] : [];
}

/** `flightline logs RELEASE`. */
export async function logs(name: string, options: { stage?: string | undefined }, output: Output): Promise<number> {
  const id = releaseIdOf(name);
  const stage = STAGES.find((known) => known === options.stage);
  if (options.stage !== undefined && stage === undefined) {
    throw new UserError('usage', `there is no stage "${options.stage}"`, `stages are ${STAGES.join(', ')}`);
  }
  return withTemporal(async (temporal) => {
    const reader = await openRelease(temporal, id);
    const { record } = await reader.read();
    const chosen = chooseLogs(record, stage);
    const others = knownLogs(record).filter((log) => !chosen.includes(log));
    if (chosen.length === 0) {
      throw new UserError(
        'no-log',
        `${referenceOf(id)} has no log${stage ? ` of ${stage}` : ''}`,
        others.length > 0
          ? `there are logs of ${[...new Set(others.map((log) => log.stage))].join(', ')}`
          : 'only build, push, device-verify, disk-build and publish write logs, and none of them has run in its latest run',
      );
    }
    await awaitControlWorker(temporal);
    const printed: (KnownLog & { text: string })[] = [];
    for (const log of chosen) {
      output.note(`==> ${log.stage} ${log.subject}`.trimEnd() + ` (${log.host}:${log.path}) <==`);
      let text = '';
      for await (const page of pages(temporal, log)) {
        if (output.json) text += page;
        else process.stdout.write(page);
      }
      printed.push({ ...log, text });
    }
    if (stage === undefined && others.length > 0) {
      output.note(`other logs: ${[...new Set(others.map((log) => `--stage ${log.stage}`))].join(', ')}`);
    }
    output.document({ release: record.release, logs: printed });
    return EXIT.ok;
  });
}

/** Milliseconds until a page must be there: the host is asked for `probeScheduleToStart` at most. */
const PAGE_TIMEOUT = DEFAULT_TIMING.probeScheduleToStart + DEFAULT_TIMING.shortStartToClose;

/** The pages of a log, each read by a short workflow on the host's own queue. */
async function* pages(temporal: Temporal, log: LogLocation): AsyncGenerator<string> {
  let offset = 0;
  for (;;) {
    const page = await readPage(temporal, log, offset);
    yield page.text;
    if (page.end || page.nextOffset <= offset) return;
    offset = page.nextOffset;
  }
}

async function readPage(temporal: Temporal, log: LogLocation, offset: number): Promise<LogPageResult> {
  try {
    const answer: unknown = await temporal.within(PAGE_TIMEOUT, () =>
      temporal.client.workflow.execute(LOG_WORKFLOW, {
        taskQueue: CONTROL_QUEUE,
        workflowId: `log/${randomUUID()}`,
        args: [{ host: log.host, path: log.path, offset, timing: DEFAULT_TIMING }],
        workflowExecutionTimeout: PAGE_TIMEOUT,
        staticSummary: `log ${log.path} on ${log.host}`,
      }),
    );
    return LogPageResult.parse(answer);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowFailedError') throw error;
    const { kind, message } = failureOfError(error);
    throw new UserError(
      kind,
      `the log cannot be read from ${log.host}: ${message}`,
      `see that the worker of ${log.host} runs; logs are kept for 7 days in ${log.path}`,
      EXIT.failed,
    );
  }
}
