import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './setup/plan.ts';
import { setUp } from './setup/set-up.ts';
import { add, closingLine, countsIn, NO_TESTS } from './test/counts.ts';
import type { Counts } from './test/counts.ts';
import { formatDuration, runStep } from './test/run-step.ts';
import type { StepResult } from './test/run-step.ts';

/**
 * `npm test`: sets the machine up, then runs every check, the long ones last, and stops after a row in which one has
 * failed.
 *
 *   --yes   change the system without asking
 *   --long  only the tests that take longer (`npm run test:long`); words choose files by what is in their names
 */
const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');

interface Step {
  name: string;
  /** Arguments of Node. */
  args: string[];
  /** Set for a step of vitest: its report is counted. */
  isVitest?: boolean;
}

function vitest(name: string, ...projects: string[]): Step {
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...projects.flatMap((project) => ['--project', project])];
  return { name, args, isVitest: true };
}

const BUILD: Step = { name: 'build', args: ['scripts/bootstrap.mjs', 'build'] };

/** Steps of one row run at the same time. */
const STEPS: readonly (readonly Step[])[] = [
  [
    { name: 'format', args: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level=warn', '.'] },
    { name: 'lint', args: ['node_modules/oxlint/bin/oxlint'] },
    { name: 'types', args: ['node_modules/typescript/bin/tsc', '--noEmit'] },
    { name: 'schemas', args: ['node_modules/tsx/dist/cli.mjs', 'scripts/generate-schemas.ts', '--check'] },
    BUILD,
    // They wait for Temporal now and then, and leave room for the checks, which are done first.
    vitest('unit and workflow tests', 'unit', 'workflows'),
  ],
  [vitest('end-to-end and fault tests', 'e2e', 'faults')],
];

const LONG = vitest('long tests', 'long');
const LONG_STEPS: readonly (readonly Step[])[] = [
  [BUILD],
  [{ ...LONG, args: [...LONG.args, ...process.argv.slice(2).filter((word) => !word.startsWith('--'))] }],
];

/** A finished step, for the summary. */
type Row = StepResult & { name: string; counts: Counts };

let interrupted = false;
process.on('SIGINT', () => {
  interrupted = true;
});

async function runOne(step: Step, reports: string): Promise<Row> {
  console.error(`\n=== ${step.name}`);
  if (!step.isVitest) return { name: step.name, counts: NO_TESTS, ...(await runStep(step.name, step.args, ROOT)) };
  const report = path.join(reports, `${step.name}.json`);
  const args = [...step.args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const result = await runStep(step.name, args, ROOT);
  const counts = await readFile(report, 'utf8').then(countsIn, () => NO_TESTS);
  return { name: step.name, counts, ...result };
}

function summary(rows: readonly Row[]): string {
  return rows
    .map(({ name, ok, ending, durationMs, counts }) => {
      const tests = counts.passed + counts.failed > 0 ? `  ${closingLine(counts)}` : '';
      return (
        `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(26)} ` +
        `${formatDuration(durationMs).padStart(12)}${tests}${ok ? '' : `  (${ending})`}`
      );
    })
    .join('\n');
}

async function main(): Promise<void> {
  const start = Date.now();
  await setUp({ purpose: 'test', assumeYes: process.argv.includes('--yes') });
  const reports = await mkdtemp(path.join(os.tmpdir(), 'flightline-test-'));
  const rows: Row[] = [];
  try {
    for (const steps of process.argv.includes('--long') ? LONG_STEPS : STEPS) {
      rows.push(...(await Promise.all(steps.map((step) => runOne(step, reports)))));
      if (interrupted || rows.some(({ ok }) => !ok)) break;
    }
  } finally {
    await rm(reports, { recursive: true, force: true });
  }
  const sum = rows.reduce((total, { counts, ok }) => add(total, counts, ok), NO_TESTS);
  console.error(`\n${summary(rows)}\nTogether ${formatDuration(Date.now() - start)}.\n`);
  console.log(closingLine(sum));
  process.exitCode = interrupted ? 130 : rows.every(({ ok }) => ok) ? 0 : 1;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`error: ${error.message}`);
  console.log(closingLine({ ...NO_TESTS, failed: 1 }));
  process.exitCode = 1;
}
