/** `flightline status`: how a release, or a promotion, stands. */
import { workflowPage, type Temporal } from '../temporal/temporal.ts';
import { printPromotion } from '../follow/promotion.ts';
import { readPromotion, withReleaseOrPromotion } from '../temporal/promotion.ts';
import { timeInWords } from '../../model/base/words.ts';
import { referenceOf, shortRun } from '../temporal/release-name.ts';
import { openNamed, standingRun } from '../temporal/release/runs.ts';
import { RUN_ARGUMENT } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb } from '../verb.ts';
import type { ReleaseView } from '../view/activities.ts';
import { renderBases, renderFailure, renderNotes, renderRelease } from '../view/release.ts';

export default verb({
  group: 'release',
  summary: 'show how a release stands',
  examples: [
    'flightline status quay.io/acme/edge-camera:v1 --json',
    'flightline status quay.io/acme/edge-camera:v1@01a22b6b-7227',
  ],
  json: { help: 'print the record as JSON', schemas: ['record', 'promotion'] },

  syntax: (command) => command.argument(...RUN_ARGUMENT),

  async run([name], _, output) {
    return withReleaseOrPromotion(name, {
      release: (temporal) => printRelease(temporal, name, output),
      promotion: async (temporal, id) => {
        printPromotion(await readPromotion(temporal, id), output);
        return EXIT.ok;
      },
    });
  },
});

async function printRelease(temporal: Temporal, name: string, output: Output): Promise<number> {
  const view = await (await openNamed(temporal, name)).read();
  const { record } = view;
  const standing = await (await standingRun(temporal, record))?.read();
  const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
  const colour = output.colour.result;
  output.result(
    [
      ...renderRelease(standing ? withoutSkipped(view) : view, { colour, columns: undefined, now: Date.now() }),
      ...[...renderBases(record), ...renderNotes(record, colour)].map((line) => `  ${line}`),
      ...(record.failure ? renderFailure(record.failure, record, colour) : []),
      ...(page ? [page] : []),
      ...(standing ? renderStanding(standing, colour) : []),
    ].join('\n'),
  );
  output.document(record);
  return EXIT.ok;
}

/** What a run that made nothing left out is no news. */
function withoutSkipped(view: ReleaseView): ReleaseView {
  const stages = view.record.stages.filter(({ status }) => status !== 'skipped');
  return { ...view, record: { ...view.record, stages } };
}

/** The run by which there is what stands under the name. */
function renderStanding(view: ReleaseView, colour: boolean): string[] {
  const { release, runId, stages } = view.record;
  const [first] = stages;
  const since = first?.startedAt ? ` of ${timeInWords(new Date(first.startedAt))}` : '';
  return [
    '',
    `what stands is of the run${since}: ${referenceOf(release)}@${shortRun(runId)}`,
    ...renderRelease(view, { colour, columns: undefined, now: Date.now() }),
    ...renderBases(view.record).map((line) => `  ${line}`),
  ];
}
