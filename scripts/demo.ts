/**
 * `npm run demo`: an embedded stack, a release of an example, the summary, and everything stopped again. What the
 * machine needs for it was set up before (scripts/bootstrap.mjs).
 */
import { join } from 'node:path';
import { Command, CommanderError, Option } from '@commander-js/extra-typings';
import { startFromSpec } from '../client/project/start/release-start.ts';
import { printError, usageError } from '../client/command-line.ts';
import { withTemporal, type Temporal } from '../client/temporal/temporal.ts';
import { printEnding } from '../client/follow/ending.ts';
import { explain } from '../client/terminal/errors.ts';
import { EXIT } from '../client/terminal/exit-codes.ts';
import { followRelease } from '../client/follow/release.ts';
import { processOutput, type Output } from '../client/terminal/output.ts';
import { Interrupted, interruptible } from '../client/terminal/pause.ts';
import { withStop } from '../client/terminal/signals.ts';
import { checkSpec } from '../client/project/checked-spec.ts';
import { cancelRelease } from '../client/follow/release-end.ts';
import { openRelease } from '../client/temporal/release/release-view.ts';
import { describeStack, startToldStack, untilInterrupted } from '../client/terminal/stack-runner.ts';
import { elapsedInWords } from '../model/base/words.ts';
import { publishExampleGate, publishExampleImages } from '../workers/stack/example-images.ts';
import { syftVersion } from '../activities/tools/syft/syft.ts';
import { packageRoot } from '../activities/tools/package-root.ts';
import type { Stack } from '../workers/stack/stack.ts';
import { chooseExample, EXAMPLES, type ExampleName } from './demo/example.ts';
import { cancelLeftOverDemos } from './demo/leftover-releases.ts';
import { evidenceHints } from './demo/evidence.ts';
import { demoTag, writeDemoProject } from './demo/project.ts';

interface DemoOptions {
  example?: ExampleName;
  keep?: boolean;
  json?: boolean;
  yes?: boolean;
}

function parse(args: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description('Start an embedded stack, release an example with it, show what was made, and stop everything.')
    .addOption(new Option('--example <name>', 'which example; default is what can be had from here').choices(EXAMPLES))
    .option('--keep', 'leave the stack up until Ctrl-C')
    .option('--json', 'print the record as JSON; progress goes to standard error')
    .option('--yes', "answer the set-up's questions with yes")
    .addHelpText('after', '\nExample:\n  $ npm run demo -- --example debian --keep')
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => undefined })
    .exitOverride()
    .parse([...args], { from: 'user' })
    .opts();
}

async function demo(options: DemoOptions, output: Output, signal: AbortSignal): Promise<number> {
  const began = Date.now();
  const { name, reason } = await chooseExample(options.example);
  output.note(`The example is examples/${name}: ${reason}.`);
  const root = packageRoot();
  const directory = join(root, '.flightline', 'demo');
  const stack = await startToldStack({ directory, signal }, output);
  const release = async () => {
    const example = join(root, 'examples', name);
    const code = await withTemporal((temporal) => releaseExample(temporal, stack, example, options, output, signal), {
      ...process.env,
      ...stack.environment,
    });
    output.note(`\n${elapsedInWords(Date.now() - began)} in all.`);
    if (options.keep) {
      output.note(['The stack stays up until Ctrl-C.', ...describeStack(stack)].join('\n'));
      await untilInterrupted(stack, signal);
    }
    return code;
  };
  try {
    return await Promise.race([release(), diesWith(stack)]);
  } finally {
    await stack.stop();
    output.note(
      `Everything is stopped now${options.keep ? '' : '; `npm run demo -- --keep` leaves it up to look around'}.`,
    );
  }
}

/** Publishes the images of examples/debian. Returns the reference of a gate for them. */
async function publishImages(stack: Stack, output: Output): Promise<string> {
  const report = (line: string) => output.note(line);
  await publishExampleImages(stack, report);
  return publishExampleGate(stack, report);
}

async function diesWith(stack: Stack): Promise<never> {
  throw await stack.failed;
}

async function releaseExample(
  temporal: Temporal,
  stack: Stack,
  example: string,
  options: DemoOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  await cancelLeftOverDemos(temporal, output);
  const gate = example.endsWith('debian') ? await interruptible(publishImages(stack, output), signal) : null;
  const sbom = (await syftVersion('syft')) !== null;
  const values = { registry: stack.registry, tag: demoTag(new Date()), sbom, gate };
  const spec = await writeDemoProject(example, join(stack.directory, 'project'), values);
  // Nobody is there to fix what is held once the stack has stopped.
  const onFailure = options.keep ? 'hold' : 'fail';
  const { release, runId } = await startFromSpec(temporal, await checkSpec(spec, { onFailure }), {}, output, signal);
  try {
    const reader = await openRelease(temporal, release, runId);
    const record = await followRelease(reader, output, { until: 'settled', signal });
    const code = printEnding(record, temporal, output);
    const { publicKey } = stack.paths;
    for (const line of evidenceHints(record, { sbom, keep: options.keep === true, publicKey })) output.note(line);
    return code;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    await cancelRelease(temporal, release, { ...output, document: () => undefined }, new AbortController().signal);
    throw new Interrupted('interrupted: the release is cancelled and cleaned up');
  }
}

/** Where a person finds what is right. */
const HELP = '`npm run demo -- --help` shows what it takes';

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = parse(args);
    return await withStop((signal) => demo(options, processOutput(options), signal));
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const explained = explain(error instanceof CommanderError ? usageError(error, HELP) : error);
    printError(explained, args.includes('--json'));
    return explained.exitCode;
  }
}

// A program that an interrupted step had started is ended by the exit.
process.exit(await main(process.argv.slice(2)));
