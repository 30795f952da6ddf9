/** `flightline history`: what a shared tag pointed at. */
import { timingWith } from '../../model/base/timing.ts';
import {
  HISTORY_QUERY,
  HistoryDocument,
  sharedTagId,
  TagHistory,
  TagNow,
  type LookAtTagInput,
} from '../../model/tags/shared-tag.ts';
import { timingFromEnvironment } from '../project/checked-spec.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { askControl, awaitControlWorker } from '../temporal/control.ts';
import { repositoryAndTag } from '../temporal/release-name.ts';
import { NAME_ARGUMENT } from '../terminal/arguments.ts';
import { isNotFound, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb } from '../verb.ts';
import { renderHistory } from '../view/history.ts';

/** Milliseconds for a look, which reads from a registry. */
const ANSWER_TIMEOUT = 5 * 60_000;

export default verb({
  group: 'tags',
  summary: 'what a shared tag pointed at',
  description: 'Show what a shared tag pointed at, since when, why, by which release or person; the newest first.',
  examples: ['flightline history quay.io/acme/edge-camera:stable --json'],
  json: { help: 'print JSON, the oldest first', schemas: ['history'] },

  syntax: (command) =>
    command
      .argument(...NAME_ARGUMENT)
      .option('--record-repository <repository>', 'where the records are; default is REPOSITORY/release'),

  async run([name], options, output) {
    const { repository, tag } = repositoryAndTag(name);
    const recordRepository = options.recordRepository ?? `${repository}/release`;
    const timing = timingWith(timingFromEnvironment(process.env));
    return withTemporal((temporal) =>
      withInterrupt(async (signal) => {
        const kept = await keptHistory(temporal, repository, tag);
        if (!kept) await awaitControlWorker(temporal, signal);
        const found = kept ?? (await presentOnly(temporal, { repository, tag, recordRepository, timing }));
        if (!kept) output.note('Temporal knows no moves of this tag: this is what it points at now');
        output.result(renderHistory(found, output.colour.result, output.columns).join('\n'));
        output.document(HistoryDocument.parse({ ...found, complete: kept !== undefined }));
        return EXIT.ok;
      }),
    );
  },
});

/** The history that the tag's workflow keeps; `undefined` when it does not run, or has none yet. */
async function keptHistory(temporal: Temporal, repository: string, tag: string): Promise<TagHistory | undefined> {
  const handle = temporal.client.workflow.getHandle(sharedTagId(repository, tag));
  try {
    const { status } = await temporal.within(REQUEST_TIMEOUT, () => handle.describe());
    if (status.name !== 'RUNNING') return undefined;
    const answer = TagHistory.parse(await temporal.within(REQUEST_TIMEOUT, () => handle.query(HISTORY_QUERY)));
    return answer.entries.length > 0 ? answer : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The verified record of what the tag points at. A control worker looks it up, since it has the keys. */
async function presentOnly(temporal: Temporal, input: LookAtTagInput): Promise<TagHistory> {
  const { repository, tag } = input;
  const question = { about: 'tag' as const, input, summary: `what ${repository}:${tag} points at` };
  const { digest, record } = await askControl(temporal, question, TagNow, ANSWER_TIMEOUT);
  if (digest === null) {
    throw new UserError('unknown-tag', `${repository}:${tag} is not in the registry`, 'check the name');
  }
  const why = record ? 'its signed record says so' : 'no signed record of it is known';
  const entry = { kind: 'found' as const, digest, record: record?.digest ?? null, release: record?.release ?? null };
  return {
    repository,
    tag,
    entries: [{ ...entry, made: record?.made ?? null, at: record?.made ?? new Date().toISOString(), by: null, why }],
  };
}
