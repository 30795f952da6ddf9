/** The runs of one release: how one is named, and which made what stands. */
import { describe, expect, it } from 'vitest';
import { namedRun } from '../../../../../client/temporal/release-name.ts';
import { openNamed, standingRun } from '../../../../../client/temporal/release/runs.ts';
import type { Temporal } from '../../../../../client/temporal/temporal.ts';
import { record, row } from '../../view/record.ts';

const R = 'quay.io/acme/edge-camera:v1';
const ID = `release/${R}`;
const RUNS = [
  { runId: '01a22b6b-d5fe-72fc-8015-78587f661bb3', status: 'FAILED', started: 57 },
  { runId: '01a22b6b-b534-7c65-b802-44e594b33437', status: 'COMPLETED', attribute: 'unchanged', started: 49 },
  { runId: '01a22b6b-7227-78cd-91b7-e67a08cf229f', status: 'COMPLETED', attribute: 'released', started: 32 },
];

/** Temporal as far as these ask. The server gives runs in no order of its own. */
function temporalWith(opened: string[]): Temporal {
  const infos = RUNS.toReversed().map(({ runId, status, attribute, started }) => ({
    runId,
    status: { name: status },
    startTime: new Date(started * 1_000),
    typedSearchAttributes: { get: () => attribute },
  }));
  const queries: string[] = [];
  return {
    within: <T>(_: number, work: () => Promise<T>) => work(),
    address: 'here',
    namespace: 'default',
    client: {
      options: { loadedDataConverter: { payloadConverter: {} } },
      workflow: {
        list: ({ query }: { query: string }) => (queries.push(query), infos),
        getHandle: (id: string, runId?: string) => ({
          describe: async () => {
            opened.push(`${id}@${runId ?? 'latest'}`);
            return { type: 'release', runId: runId ?? RUNS[0]!.runId };
          },
        }),
      },
    },
  } as unknown as Temporal;
}

describe('RELEASE@RUN', () => {
  it.each([
    [R, { id: ID, run: undefined }],
    [ID, { id: ID, run: undefined }],
    [`${R}@01a22b6b-7227`, { id: ID, run: '01a22b6b-7227' }],
    [`${ID}@01a22b6b`, { id: ID, run: '01a22b6b' }],
    [`${R}@${RUNS[0]!.runId}`, { id: ID, run: RUNS[0]!.runId }],
  ])('%s', (text, named) => expect(namedRun(text)).toEqual(named));

  it.each([`${R}@sha256:${'a'.repeat(64)}`, `${R}@latest`, 'v1@01a2'])('%s names no release', (text) => {
    expect(() => namedRun(text)).toThrow(/names no release/);
  });

  it('opens the run that begins so, else the latest', async () => {
    const opened: string[] = [];
    expect((await openNamed(temporalWith(opened), `${R}@01a22b6b-b`)).runId).toBe(RUNS[1]!.runId);
    expect((await openNamed(temporalWith(opened), R)).runId).toBe(RUNS[0]!.runId);
    expect(opened).toEqual([`${ID}@${RUNS[1]!.runId}`, `${ID}@latest`]);
  });

  it.each([
    ['01a22b6b', `more than one run of ${R} begins with 01a22b6b`],
    ['ffff', `no run of ${R} begins with ffff`],
  ])('%s is refused with the runs that there are', async (run, message) => {
    await expect(openNamed(temporalWith([]), `${R}@${run}`)).rejects.toMatchObject({
      kind: 'unknown-run',
      exitCode: 2,
      message,
      remedy: 'its runs are 01a22b6b-d5fe, 01a22b6b-b534, 01a22b6b-7227; flightline list shows them',
    });
  });
});

describe('what stands under a name', () => {
  const stages = [row('resolve', 'release', { status: 'failed' }), row('build', 'image', { status: 'skipped' })];
  const refused = record({ release: ID, runId: RUNS[0]!.runId, status: 'failed', stages });

  it('is of the last run that released, where the latest made nothing', async () => {
    expect((await standingRun(temporalWith([]), refused))?.runId).toBe(RUNS[2]!.runId);
    expect((await standingRun(temporalWith([]), { ...refused, status: 'unchanged' }))?.runId).toBe(RUNS[2]!.runId);
  });

  it('is not asked for where the latest run has built something, or goes on', async () => {
    const built = [stages[0]!, row('build', 'image', { status: 'failed' })];
    expect(await standingRun(temporalWith([]), { ...refused, stages: built })).toBeUndefined();
    expect(await standingRun(temporalWith([]), { ...refused, status: 'running' })).toBeUndefined();
  });
});
