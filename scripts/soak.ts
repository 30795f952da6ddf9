/** `npm run soak`: shows that releases survive what usually kills them. */
import { parseArgs } from 'node:util';
import { restartCost } from './soak/restart-cost.ts';
import { soak } from './soak/run.ts';

const HELP = `Usage: npm run soak -- [options]

Keeps starting releases on a stack of its own with two build hosts while it injects random faults, then looks whether
every release came to the end that was asked for, every tag is signed, and nothing is left on the hosts. Needs root.

  --minutes N          how long faults are injected (default 10); it settles and looks for some minutes more
  --seed N             chooses the faults and releases (default: another one each time)

  --restart-cost       instead, measures what a SIGKILL of the build worker at half of a disk build costs
  --builder-seconds N  the least length of that disk build (default 120)
  --runs N             how often (default 5); the median counts

Exit code 0 when all is well, else 1.

Example: npm run soak -- --minutes 10 --seed 7
`;

function number(name: string, value: string | undefined, otherwise: number): number {
  const parsed = value === undefined ? otherwise : Number(value);
  if (Number.isFinite(parsed) && parsed > 0) return parsed;
  console.error(`error: --${name} takes a number above 0, and not "${value}"`);
  process.exit(2);
}

function options() {
  try {
    return parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        'restart-cost': { type: 'boolean', default: false },
        'builder-seconds': { type: 'string' },
        runs: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    console.error(`error: ${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

const values = options();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (process.getuid?.() !== 0) {
  console.error('error: the soak makes mount namespaces and ends processes of builders: run it as root');
  process.exit(2);
}
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
const began = Date.now();
const say = (line: string) => console.log(`${String(Math.round((Date.now() - began) / 1_000)).padStart(5)} s  ${line}`);

const well = values['restart-cost']
  ? await restartCost({
      builderSeconds: number('builder-seconds', values['builder-seconds'], 120),
      runs: Math.floor(number('runs', values.runs, 5)),
      say,
    })
  : await soak({
      minutes: number('minutes', values.minutes, 10),
      seed: Math.floor(number('seed', values.seed, (Date.now() % 1_000_000) + 1)),
      say,
      signal: interrupted.signal,
    });
process.exit(well ? 0 : 1);
