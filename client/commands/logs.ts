/** `flightline logs`: a stage's whole log, from the registry or from the host that has it. */
import type { Command } from '@commander-js/extra-typings';
import { access } from 'node:fs/promises';
import { readRecord } from '../../activities/trust/record.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { isFinal, isLogged, LOGGED_STAGES, STAGES } from '../../model/stage/stage.ts';
import { withTemporal, type Temporal } from '../temporal/temporal.ts';
import { awaitControlWorker } from '../temporal/control.ts';
import { detachable } from '../follow/ending.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { isMeant, type LogFilter } from '../../model/release/log-targets.ts';
import { followLogs, type LogDisplay } from '../follow/logs.ts';
import { pages, readKeptLog } from '../temporal/logs.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb, type OptionsOf } from '../verb.ts';
import { RUN_ARGUMENT } from '../terminal/arguments.ts';
import { namedRun, referenceOf, shortRun } from '../temporal/release-name.ts';
import { openNamed, standingRun } from '../temporal/release/runs.ts';
import { type KnownLog, chooseLogs, knownLogs } from '../follow/known-logs.ts';

const syntax = (command: Command) =>
  command
    .argument(...RUN_ARGUMENT)
    .argument('[stage]', `one of ${LOGGED_STAGES.join(', ')}`)
    .option('--subject <subject>', 'only of this: image, a disk type, or the types of a builder run (qcow2+vmdk)')
    .option('--follow', 'go on until the stage, or without one the release, has ended; Ctrl-C only stops watching')
    .option('--key <file>', 'the public key: take the record from the registry, verified, and ask no Temporal')
    .option('--record-repository <repository>', 'where the record is, with --key; default is REPOSITORY/release');

type LogsOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'release',
  summary: "print a stage's whole log",
  description:
    "Print a stage's whole log, of a finished release from the registry; without a stage " +
    'that of the failure, or of the stage that began last.',
  examples: [
    'flightline logs quay.io/acme/edge-camera:v1 disk-build',
    'flightline logs quay.io/acme/edge-camera:v1 publish --subject qcow2',
    'flightline logs quay.io/acme/edge-camera:v1 --follow',
    'flightline logs quay.io/acme/edge-camera:v1 build --key release.pub',
  ],
  json: { help: 'print JSON', schemas: ['logs'] },

  syntax,

  run: (args, options, output) => logs(args, options, output),
});

async function logs(
  [name, stage]: [string, string | undefined],
  options: LogsOptions,
  output: Output,
): Promise<number> {
  const { id } = namedRun(name);
  const filter = filterOf(stage, options.subject);
  if (options.follow) {
    if (options.key !== undefined || output.json) {
      throw new UserError(
        'usage',
        '--follow prints text as it comes, of a release that runs',
        'leave --key and --json out',
      );
    }
    return follow(name, filter, output);
  }
  if (options.key !== undefined) {
    return print(id, await recordFromRegistry(id, options.key, options.recordRepository), filter, output, undefined);
  }
  return withTemporal(async (temporal) => {
    const { record } = await (await openNamed(temporal, name)).read();
    const standing = await (await standingRun(temporal, record))?.read();
    if (standing) {
      output.note(`the latest run (${record.status}) has made nothing: these are of ${nameOf(standing.record)}`);
    }
    return print(id, standing?.record ?? record, filter, output, temporal);
  });
}

function filterOf(word: string | undefined, subject: string | undefined): LogFilter {
  const stage = STAGES.find((known) => known === word);
  if (word !== undefined && stage === undefined) {
    throw new UserError('usage', `there is no stage "${word}"`, `stages are ${STAGES.join(', ')}`);
  }
  return { stage, subject };
}

/** `REPOSITORY:TAG@RUN` */
function nameOf({ release, runId }: ReleaseRecord): string {
  return `${referenceOf(release)}@${shortRun(runId)}`;
}

async function follow(name: string, filter: LogFilter, output: Output): Promise<number> {
  const { id } = namedRun(name);
  return withTemporal((temporal) =>
    withInterrupt((signal) =>
      detachable(referenceOf(id), async () => {
        const reader = await openNamed(temporal, name);
        const { record } = await reader.read();
        const meant = record.stages.filter((row) => isLogged(row.name) && isMeant(row, filter));
        if (meant.length === 0) throw noLog(id, filter, knownLogs(record));
        const { status } = await followLogs(temporal, reader, filter, standardOutput(output), signal);
        output.note(`the release is ${status}`);
        return EXIT.ok;
      }),
    ),
  );
}

/** Prints what comes as it is, with a heading where another log goes on. */
function standardOutput(output: Output): LogDisplay {
  let printing: string | null = null;
  return {
    note: (text) => output.note(text),
    text: ({ key, label }, text) => {
      if (printing !== key) output.note(`==> ${label} <==`);
      printing = key;
      process.stdout.write(text);
    },
    // `flightline logs --follow | head`
    isClosed: () => process.stdout.destroyed,
  };
}

/** The record as its signature vouches for it: nothing else is asked. */
async function recordFromRegistry(id: string, key: string, repository: string | undefined): Promise<ReleaseRecord> {
  await access(key).catch((error: Error) => {
    throw new UserError('key-missing', `the public key cannot be read: ${error.message}`, 'name the .pub file');
  });
  const parsed = parseReference(referenceOf(id));
  if (!parsed.ok) throw new UserError('usage', parsed.problem, 'write REPOSITORY:TAG');
  const { repository: image, tag } = parsed.reference;
  const from = repository ?? `${image}/release`;
  const record = await withUserAccess((registry) => readRecord(registry, from, tag!, key));
  if (record) return record;
  throw new UserError(
    'record-unverified',
    `${from}:${tag} is not a record that this key signed for that name`,
    'see that the key is the right one, and name where records are with --record-repository',
    EXIT.failed,
  );
}

/** Prints the chosen logs; without Temporal only what is in the registry. */
async function print(
  id: string,
  record: ReleaseRecord,
  filter: LogFilter,
  output: Output,
  temporal: Temporal | undefined,
): Promise<number> {
  const chosen = chooseLogs(record, filter);
  const others = knownLogs(record).filter((log) => !chosen.includes(log));
  if (chosen.length === 0) throw noLog(id, filter, others);
  const printed: (KnownLog & { text: string })[] = [];
  for (const log of chosen) {
    output.note(`==> ${log.stage} ${log.subject}`.trimEnd() + ` (${log.host}:${log.path}) <==`);
    let text = '';
    for await (const page of textOf(record, log, output, temporal)) {
      if (output.json) text += page;
      else process.stdout.write(page);
    }
    printed.push({ ...log, text });
  }
  if (filter.stage === undefined && others.length > 0) {
    output.note(`other logs: ${[...new Set(others.map((log) => log.stage))].join(', ')}`);
  }
  output.document({ release: record.release, logs: printed });
  return EXIT.ok;
}

/**
 * From the registry when the release has ended and its record names it there; else from the host, which keeps it for
 * 7 days.
 */
async function* textOf(
  record: ReleaseRecord,
  log: KnownLog,
  output: Output,
  temporal: Temporal | undefined,
): AsyncGenerator<string> {
  const kept = isFinal(record.status) ? record.logs?.find(({ host }) => host === log.host) : undefined;
  if (kept) {
    try {
      yield await readKeptLog(kept, log.path);
      return;
    } catch (error) {
      if (!(error instanceof UserError) || !temporal) throw error;
      output.note(`${error.message}; asking ${log.host}`);
    }
  }
  if (!temporal) {
    throw new UserError(
      'no-log',
      `the record names no kept logs of ${log.host}`,
      'without --key they are read from the host, which keeps them for 7 days',
      EXIT.failed,
    );
  }
  await awaitControlWorker(temporal);
  yield* pages(temporal, log);
}

function noLog(id: string, { stage, subject }: LogFilter, others: readonly KnownLog[]): UserError {
  const of = [stage, subject].filter((word) => word !== undefined).join(' ');
  return new UserError(
    'no-log',
    `${referenceOf(id)} has no log${of ? ` of ${of}` : ''}`,
    others.length > 0
      ? `there are logs of ${[...new Set(others.map((log) => `${log.stage} ${log.subject}`.trimEnd()))].join(', ')}`
      : `only ${LOGGED_STAGES.join(', ')} write logs, and none of them has run; flightline list shows earlier runs, ` +
          'and --key FILE reads what stands from the registry',
  );
}
