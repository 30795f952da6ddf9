/** `flightline run`: starts a release and shows it to its end. */
import { isAbsolute } from 'node:path';
import { Option } from '@commander-js/extra-typings';
import { withTemporal, type Temporal } from '../temporal/temporal.ts';
import { detachable, printEnding } from '../follow/ending.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { followRelease } from '../follow/release.ts';
import { advise } from '../project/linting.ts';
import type { Output } from '../terminal/output.ts';
import { ifInterrupted, withInterrupt } from '../terminal/signals.ts';
import { checkSpec, packAhead, type PrepareOptions } from '../project/checked-spec.ts';
import { startFromSpec } from '../project/start/release-start.ts';
import { referenceOf } from '../temporal/release-name.ts';
import { openRelease } from '../temporal/release/release-view.ts';
import { verb } from '../verb.ts';
import { renderRelease } from '../view/release.ts';

interface RunOptions extends PrepareOptions {
  /** Ends once the release has been taken up. */
  detach?: boolean | undefined;
  /** Shows what stages print while they run. */
  logs?: boolean | undefined;
  /** Looks, prints what a release would do, and starts nothing. */
  dryRun?: boolean | undefined;
  /** Cancels a run of the same release that is under way, and waits for its clean-up. */
  replace?: boolean | undefined;
  /** What `flightline lint` finds ends the command. */
  strict?: boolean | undefined;
}

export default verb({
  group: 'release',
  summary: 'check a spec, start its release, show it to its end',
  description: 'Check a spec, send its context, start the release and show it to its end.',
  examples: [
    'flightline run',
    'flightline run flightline.yaml --tag v2 --detach',
    'flightline run --logs',
    'flightline run --dry-run',
  ],
  json: {
    help: 'print the record, or the plan of a dry run, as JSON; progress goes to standard error',
    schemas: ['record', 'plan'],
  },

  syntax: (command) =>
    command
      .argument('[spec]', 'the spec', 'flightline.yaml')
      .option('--tag <tag>', "replace the spec's tag; {{date}} and {{commit}} are filled in")
      .option('--dry-run', 'check, look everything up and print the plan; nothing is sent, built or left')
      .option('--detach', 'end once the release has been taken up')
      .option('--logs', 'show the output of what runs, as `flightline logs --follow` does')
      .option(
        '--replace',
        'cancel a run of the same release that is under way, and wait for its clean-up, before starting',
      )
      .addOption(
        new Option(
          '--on-failure <what>',
          'what a failure that a person can fix does; default is what the spec says',
        ).choices(['hold', 'fail']),
      )
      .option('--strict', 'do not start when `flightline lint` finds something')
      .option('--keep-files <dir>', 'leave the disk files in this directory of the build host')
      .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository'),

  run: (args, options, output) => run(args, options, output),
});

async function run([file]: [string], options: RunOptions, output: Output): Promise<number> {
  if (options.keepFiles !== undefined && !isAbsolute(options.keepFiles)) {
    throw new UserError(
      'usage',
      `--keep-files ${options.keepFiles} is a relative path`,
      'give an absolute directory: it is made on the build host',
    );
  }
  if (options.detach && options.logs) {
    throw new UserError('usage', '--detach shows nothing, and --logs cannot be used with it', 'leave one of them out');
  }
  if (options.dryRun && (options.detach || options.replace)) {
    throw new UserError(
      'usage',
      `--dry-run starts nothing, and cannot be used with ${options.detach ? '--detach' : '--replace'}`,
      'leave one of them out',
    );
  }
  ifInterrupted('no release was started');
  // Report a wrong spec even when Temporal does not answer.
  const checked = await checkSpec(file, options);
  await advise(checked.loaded, options.strict === true, output);
  if (options.dryRun) {
    const { dryRun } = await import('../project/dry-run.ts');
    return withTemporal((temporal) => withInterrupt((signal) => dryRun(temporal, checked, options, output, signal)));
  }
  for (const line of checked.warnings) output.note(`warning: ${line}`);
  const packing = packAhead(checked);
  try {
    await packing?.begun;
    return await withTemporal((temporal) =>
      withInterrupt(async (signal) => {
        const started = await startFromSpec(temporal, checked, options, output, signal, packing);
        return showRelease(temporal, started, options, output, signal);
      }),
    );
  } finally {
    await packing?.remove();
  }
}

async function showRelease(
  temporal: Temporal,
  { release, runId }: { release: string; runId: string },
  options: RunOptions,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const reference = referenceOf(release);
  return detachable(reference, async () => {
    const reader = await openRelease(temporal, release, runId);
    if (options.detach) {
      const view = await reader.read();
      output.result(
        [
          ...renderRelease(view, { colour: output.colour.result, columns: output.columns, now: Date.now() }),
          `watch it: flightline watch ${reference}`,
        ].join('\n'),
      );
      output.document(view.record);
      return EXIT.ok;
    }
    const logs = options.logs ? temporal : undefined;
    return printEnding(await followRelease(reader, output, { until: 'settled', signal, logs }), temporal, output);
  });
}
