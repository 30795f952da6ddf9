/** `npm run bench`: flightline measured against the guide's own commands, and by itself. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from '../test/support/flightline.ts';
import { usePrivateContainersConf } from '../test/support/tools.ts';
import { findTemporalCli } from '../workers/stack/temporal-cli/temporal-cli.ts';
import type { Case, Findings, Plan } from './case.ts';
import { CASES } from './cases/all.ts';
import { machineFacts } from './machine.ts';
import { openSite, type Site } from './site.ts';
import { costReport, markdownReport, terminalReport, withMeasured } from './report.ts';

const HELP = `Usage: npm run bench -- [options]

Runs flightline and the guide's own commands (bench/guide.sh) in turn on the same inputs, prints a table of ratios, and
writes it into bench/RESULTS.md, and its main figures into docs/benchmarks.md. Needs root, and a machine that does
nothing else. Takes less than 40 minutes on 2 cores.

  --quick              smaller sizes, one run each, less than 5 minutes; writes nothing, and leaves out
                       ${CASES.flatMap((one) => (one.notQuick ? one.name : [])).join(', ')}
  --only NAME,NAME     only these cases: ${CASES.map(({ name }) => name).join(', ')}; writes nothing
  --repeats N          pairs of runs with one disk (default 2; with --quick 1)
  --builder-seconds N  the least length of a builder run on either side
                       (default 20, and 90 for the case of one disk; with --quick 1)

The exit code is 0 when everything was measured, whatever the figures, and 1 when a case failed.

Example: npm run bench -- --only orchestration --quick
`;

const MEBI = 1024 ** 2;
const FULL: Plan = {
  quick: false,
  repeats: 2,
  builderSeconds: 20,
  oneDiskBuilderSeconds: 90,
  releases: 1_000,
  diskSize: 2_048 * MEBI,
  scriptDiskSize: 512 * MEBI,
};
const QUICK: Plan = {
  quick: true,
  repeats: 1,
  builderSeconds: 1,
  oneDiskBuilderSeconds: 1,
  releases: 10,
  diskSize: 128 * MEBI,
  scriptDiskSize: 64 * MEBI,
};

function fail(message: string): never {
  console.error(`error: ${message}`);
  process.exit(2);
}

function wholeNumber(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (/^[1-9]\d{0,3}$/.test(value)) return Number(value);
  return fail(`--${name} takes a whole number above 0, and not "${value}"`);
}

function options() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        repeats: { type: 'string' },
        'builder-seconds': { type: 'string' },
        yes: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return fail(`${(error as Error).message}\n\n${HELP}`);
  }
}

function chosen(only: string | undefined, quick: boolean): readonly Case[] {
  if (only === undefined) return CASES.filter(({ notQuick }) => !(quick && notQuick));
  return only.split(',').map((name) => {
    return CASES.find((one) => one.name === name) ?? fail(`--only: there is no case "${name}"`);
  });
}

const values = options();
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (process.getuid?.() !== 0) fail('the benchmark makes mount namespaces and privileged containers: run it as root');
const base = values.quick ? QUICK : FULL;
const begin = Date.now();
const plan: Plan = {
  ...base,
  repeats: wholeNumber('repeats', values.repeats, base.repeats),
  builderSeconds: wholeNumber('builder-seconds', values['builder-seconds'], base.builderSeconds),
  oneDiskBuilderSeconds: wholeNumber('builder-seconds', values['builder-seconds'], base.oneDiskBuilderSeconds),
};
const cases = chosen(values.only, values.quick);
const say = (line: string) =>
  console.error(`${String(Math.round((Date.now() - begin) / 1_000)).padStart(5)} s  ${line}`);
const restore = await usePrivateContainersConf();
const found = new Map<Case, Findings>();
let failed = 0;
let site: Site | undefined;
for (const one of cases.toSorted((left, right) => Number(left.onSite) - Number(right.onSite))) {
  say(`case ${one.name}`);
  try {
    found.set(one, await (one.onSite ? one.run(plan, say, (site ??= await openSite())) : one.run(plan, say)));
  } catch (error) {
    failed += 1;
    say(`case ${one.name} FAILED: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}
await site?.end();
await restore();
const findings = cases.flatMap((one) => found.get(one) ?? []);
const rows = findings.flatMap((one) => one.rows).filter((row) => row.values.length > 0);
const growth = findings.flatMap((one) => one.growth ?? []);
if (values.quick) say('these sizes are small, and each was run once: they show that it works, and hardly more');
const minutes = ((Date.now() - begin) / 60_000).toFixed(1);
console.log(['', ...terminalReport(rows, growth), '', `measured in ${minutes} minutes`].join('\n'));
if (!values.quick && values.only === undefined && failed === 0) {
  const facts = [
    ...(await machineFacts((await findTemporalCli()).path)),
    `${new Date().toISOString().slice(0, 10)}, ${minutes} minutes; ${plan.repeats} pairs of runs with one ` +
      `disk; a run of the builder takes ${plan.builderSeconds} s, and ${plan.oneDiskBuilderSeconds} s where ` +
      'one disk is made',
  ];
  for (const [name, measured] of [
    ['bench/RESULTS.md', markdownReport(facts, rows, growth)],
    ['docs/benchmarks.md', costReport(facts, rows)],
  ] as const) {
    const document = join(ROOT, name);
    await writeFile(document, withMeasured(await readFile(document, 'utf8'), measured));
    say(`written: ${document}`);
  }
}
// Connections of the SDK that a failed case left must not keep the process.
process.exit(failed === 0 ? 0 : 1);
