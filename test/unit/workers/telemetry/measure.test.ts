/** How a control worker finds the last nightly run that ended well, for the metrics. */
import { describe, expect, it } from 'vitest';
import { newestWell, remembering, type Run } from '../../../../workers/telemetry/newest.ts';

const at = (hour: number) => new Date(Date.UTC(2026, 10, 23, hour));
const run = (name: string, hour: number): Run => ({ workflowId: 'nightly/r', runId: name, closeTime: at(hour) });

/** A list as the server gives it: the newest first. Tells how far it was read. */
function listOf(runs: Run[]): { runs: AsyncIterable<Run>; read: () => number } {
  let read = 0;
  const given = async function* () {
    for (const one of runs) {
      read += 1;
      yield one;
    }
  };
  return { runs: given(), read: () => read };
}

describe('the newest run that ended well', () => {
  const well = async ({ runId }: Run) => runId.startsWith('well');

  it.each([
    ['none at all', [], undefined],
    ['none that ended well', [run('failed', 3)], undefined],
    ['the newest itself', [run('well-1', 3), run('well-2', 2)], at(3)],
    ['one before a failed and a held one', [run('held', 4), run('failed', 3), run('well', 2)], at(2)],
    ['one that has not been closed does not count', [{ ...run('well', 3), closeTime: undefined }], undefined],
  ])('%s', async (_what, runs, expected) => {
    expect(await newestWell(listOf(runs as Run[]).runs, well)).toEqual(expected);
  });

  it('is not looked for without end', async () => {
    const list = listOf(Array.from({ length: 500 }, (_, index) => run(`failed-${index}`, 1)));
    expect(await newestWell(list.runs, well)).toBeUndefined();
    expect(list.read()).toBe(50);
  });

  it('is asked about once', async () => {
    const asked: string[] = [];
    const ask = remembering(async ({ runId }) => {
      asked.push(runId);
      return false;
    });
    for (let look = 0; look < 3; look++) await newestWell(listOf([run('b', 2), run('a', 1)]).runs, ask);
    expect(asked).toEqual(['b', 'a']);
  });
});
