import { parseArgs } from 'node:util';
import { SetupError } from './plan.ts';
import { setUp } from './set-up.ts';
import type { Purpose } from './tools.ts';

const PURPOSES: readonly string[] = ['run', 'demo', 'test'] satisfies Purpose[];

const HELP = `Usage: npm run setup -- [--for run|demo|test] [--yes]

Looks for the host tools that flightline needs and installs what is missing.

  --for PURPOSE  run: build hosts; demo: the embedded stack and examples too; test: everything (default)
  --yes          change the system without asking

Example: npm run setup -- --for demo
`;

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: 'test' },
    yes: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  process.stdout.write(HELP);
} else if (!PURPOSES.includes(values.for)) {
  process.stderr.write(`error: --for takes ${PURPOSES.join(', ')}; not ${JSON.stringify(values.for)}.\n`);
  process.exitCode = 2;
} else {
  try {
    await setUp({ purpose: values.for as Purpose, assumeYes: values.yes ?? false });
    process.stderr.write('This machine has what is needed.\n');
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
  }
}
