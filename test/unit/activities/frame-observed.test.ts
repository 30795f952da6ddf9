/** What the frame of every activity logs and measures of an attempt. */
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { framed } from '../../../activities/frame.ts';
import type { Task } from '../../../activities/tools/process/task.ts';
import { registerSecret } from '../../../activities/tools/process/redact.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { sdkLogger, createLogger } from '../../../workers/telemetry/log.ts';

const Input = z.object({});
/** Labels besides those that the SDK adds by itself. */
const OURS = new Set(['stage', 'outcome', 'kind', 'what']);
type Body = (context: Task) => Promise<object>;
/** What is done to an attempt from outside. */
type Interruption = 'requested' | 'shutdown';

/** Runs an attempt with this body; returns what was measured, as `name{labels} value`, and the lines logged. */
async function observe(name: 'build' | 'claim', body: Body, interruption?: Interruption) {
  const lines: string[] = [];
  const measured: string[] = [];
  const note = (metric: string) => (value: number, labels: object) => {
    const words = Object.entries(labels).flatMap(([label, text]) => (OURS.has(label) ? [`${label}=${text}`] : []));
    measured.push(`${metric}{${words.join(',')}} ${metric.includes('seconds') ? typeof value : value}`);
  };
  const metricMeter = {
    createCounter: (metric: string) => ({ add: note(metric) }),
    createHistogram: (metric: string) => ({ record: note(metric) }),
  };
  const environment = new MockActivityEnvironment(
    {
      attempt: 3,
      activityType: 'build',
      workflowExecution: { workflowId: 'release/r.example/acme/edge:v1/disks/iso', runId: 'r' },
    },
    {
      logger: sdkLogger(createLogger({}, { write: (line) => lines.push(line) })),
      metricMeter: metricMeter as never,
    },
  );
  const run = environment.run(
    framed(name, Input, (_input, context) => body(context)),
    {},
  );
  if (interruption === 'requested') {
    environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
  } else if (interruption === 'shutdown') {
    environment.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
  }
  await run.catch(() => undefined);
  return { measured, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** Waits for the attempt's end. */
const untilCancelled: Body = (context) =>
  new Promise((_resolve, reject) => {
    context.signal.addEventListener('abort', () => reject(new Error('a command was ended')), { once: true });
  });
const fails: Body = () => Promise.reject(new FlightlineError('containerfile', 'step 2 failed with tok-5e1f9d'));

describe('an attempt at a stage', () => {
  it('that succeeds', async () => {
    const { measured, lines } = await observe('build', async (context) => {
      context.count('flightline_pushed_bytes_total', 7, { what: 'image' });
      return {};
    });
    expect(measured).toEqual([
      'flightline_pushed_bytes{what=image} 7',
      'flightline_stage_duration_seconds{stage=build,outcome=done} number',
    ]);
    const place = { release: 'release/r.example/acme/edge:v1', stage: 'build', attempt: 3, level: 'info' };
    expect(lines).toEqual([
      expect.objectContaining({ ...place, event: 'stage-begun' }),
      expect.objectContaining({ ...place, event: 'stage-ended', outcome: 'done', seconds: expect.any(Number) }),
    ]);
  });

  it('that fails, without the secret in its words', async () => {
    registerSecret('tok-5e1f9d');
    const { measured, lines } = await observe('build', fails);
    expect(measured).toEqual([
      'flightline_stage_duration_seconds{stage=build,outcome=failed} number',
      'flightline_stage_failures{stage=build,kind=containerfile} 1',
    ]);
    expect(lines[1]).toMatchObject({ level: 'warn', outcome: 'failed', kind: 'containerfile' });
    expect(lines[1]!['message']).toBe('build failed: step 2 failed with [secret]');
  });

  it.each([
    ['requested', 'cancelled'],
    ['shutdown', 'detached'],
  ] as const)('that is ended (%s) is no failure', async (interruption, outcome) => {
    const { measured, lines } = await observe('build', untilCancelled, interruption);
    expect(measured).toEqual([`flightline_stage_duration_seconds{stage=build,outcome=${outcome}} number`]);
    expect(lines.at(-1)).toMatchObject({ level: 'info', event: 'stage-ended', outcome });
  });

  it('which is no stage is neither measured nor news', async () => {
    expect(await observe('claim', fails)).toEqual({ measured: [], lines: [] });
  });
});
