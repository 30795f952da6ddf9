/** What flightline's workflows cost alone: a stand-in answers every stage at once. */
import { cpus } from 'node:os';
import { runFlightline } from '../../test/support/flightline.ts';
import type { CaseApart } from '../case.ts';
import { disksOf } from '../orchestration/disks.ts';
import { openGround, PROCESSES, type Batch, type Ground } from '../orchestration/ground.ts';
import { residentBytes, sample } from '../readings.ts';
import { spread, type Point } from '../statistics.ts';

const MOST_DISKS = 6;

export const orchestration: CaseApart = {
  name: 'orchestration',
  onSite: false,
  run: async (plan, say) => {
    const ground = await openGround();
    try {
      const latencies: number[] = [];
      // The first one is not counted: code is loaded and compiled in it.
      await ground.batch('warm-up', 1);
      for (let run = 0; run < (plan.quick ? 3 : Math.max(5, plan.repeats)); run++) {
        latencies.push((await ground.batch(`alone-${run}`, 1)).seconds);
      }
      say(`one release of three disks: ${latencies.map((one) => one.toFixed(2)).join(', ')} s`);
      const few = plan.quick ? 1 : 3;
      const byDisks = await growthOverDisks(ground);
      const times: Point[] = [];
      const lists: Point[] = [];
      let inHistory = 1 + latencies.length + MOST_DISKS;
      let largest: Batch | undefined;
      let memory: number[] = [];
      for (const count of new Set([plan.releases / 100, plan.releases / 10, plan.releases].map(Math.ceil))) {
        const watching = sample(500, () => residentBytes(ground.pids['control worker']));
        largest = await ground.batch(`of-${count}`, count);
        memory = await watching.stop();
        inHistory += count;
        times.push({ size: count, value: largest.seconds });
        lists.push({ size: inHistory, value: spread(await timesOfList(ground, few, [])).median });
        say(`${count} releases at once: ${largest.seconds.toFixed(1)} s, ${largest.events} events`);
      }
      if (!largest) throw new Error('nothing was started');
      const { events, bytes, seconds, processor } = largest;
      const used = PROCESSES.reduce((sum, one) => sum + processor[one], 0);
      const cores = cpus().length;
      const whole = await timesOfList(ground, plan.quick ? 3 : 5, []);
      const all = await timesOfList(ground, few, ['--limit', String(plan.releases)]);
      const megabytes = memory.map((one) => one / 1e6);
      const part = (from: number, to: number) =>
        spread(megabytes.slice(Math.floor(from * megabytes.length), Math.ceil(to * megabytes.length))).median;
      const name = 'orchestration alone';
      const size = `${plan.releases} releases at once`;
      const kilobytes = bytes / plan.releases / 1e3;
      return {
        rows: [
          {
            case: name,
            measure: 'latency of one release',
            unit: 's',
            values: latencies,
            target: { most: 1.5 },
            note:
              'an image and three disks in two builder runs; stages are answered by stand-ins ' +
              '(bench/orchestration), the server is `temporal server start-dev` with its database in a file, ' +
              'the control worker is the compiled one with the bundle built ahead.',
          },
          {
            case: name,
            measure: `workflow events per second, ${size}`,
            unit: 'per second',
            values: [events / seconds],
            target: { least: 600 },
            note:
              'events of all histories ÷ the time from the first start to the last end. All that runs shares ' +
              `the cores, and had ${((100 * used) / cores / seconds).toFixed(0)} % of ${cores} of them: ` +
              `never idle, they would come to ${((cores * events) / used).toFixed(0)} events per second.`,
          },
          ...PROCESSES.map((one) => ({
            case: name,
            measure: `processor time of the ${one} for each event, ${size}`,
            unit: 'ms' as const,
            values: [(1e3 * processor[one]) / events],
          })),
          {
            case: name,
            measure: 'events per release',
            unit: 'events',
            values: [events / plan.releases],
            target: { most: 200 },
          },
          {
            case: name,
            measure: 'bytes of history per release',
            unit: 'kB',
            values: [kilobytes],
            target: { most: 60 },
          },
          {
            case: name,
            measure: `most memory of the control worker (RSS), ${size}`,
            unit: 'MB',
            values: [Math.max(...megabytes)],
            target: { most: 350 },
          },
          {
            case: name,
            measure: 'its memory in the last fifth of the time ÷ in the second fifth',
            unit: 'ratio',
            values: [part(0.8, 1) / part(0.2, 0.4)],
            target: { most: 1.1 },
            note: 'medians; "flat" is read as within 10 %.',
          },
          {
            case: 'the command',
            measure: `\`flightline list\` with ${inHistory} releases`,
            unit: 's',
            values: whole,
            target: { most: 1 },
          },
          {
            case: 'the command',
            measure: `the same, all of them (\`--limit ${plan.releases}\`)`,
            unit: 's',
            values: all,
          },
        ],
        growth: [
          { what: 'time until all have ended', of: 'releases at once', unit: 's', points: times },
          { what: '`flightline list`', of: 'releases in the history', unit: 's', points: lists },
          ...byDisks,
        ],
      };
    } finally {
      await ground.end();
    }
  },
};

async function growthOverDisks(ground: Ground) {
  const measured: { size: number; seconds: number; events: number; bytes: number }[] = [];
  for (let size = 1; size <= MOST_DISKS; size++) {
    measured.push({ size, ...(await ground.batch(`disks-${size}`, 1, disksOf(size))) });
  }
  const points = (figure: 'seconds' | 'events' | 'bytes', divisor = 1): Point[] =>
    measured.map((one) => ({ size: one.size, value: one[figure] / divisor }));
  return [
    { what: 'latency of one release', of: 'disks', unit: 's' as const, points: points('seconds') },
    { what: 'events of one release', of: 'disks', unit: 'events' as const, points: points('events') },
    { what: 'bytes of its histories', of: 'disks', unit: 'kB' as const, points: points('bytes', 1e3) },
  ];
}

/** Seconds of the whole command, from its start as a process to its end. */
async function timesOfList(ground: Ground, runs: number, args: readonly string[]): Promise<number[]> {
  const seconds: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const { exitCode, stderr } = await runFlightline(['list', ...args], { environment: ground.stack.environment });
    if (exitCode !== 0) throw new Error(`flightline list: ${stderr}`);
    seconds.push((performance.now() - start) / 1_000);
  }
  return seconds;
}
