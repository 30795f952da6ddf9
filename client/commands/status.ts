/** `flightline status`: how a release, or a promotion, stands. */
import { workflowPage, type Temporal } from '../temporal/temporal.ts';
import { printPromotion } from '../follow/promotion.ts';
import { readPromotion, withReleaseOrPromotion } from '../temporal/promotion.ts';
import { openRelease } from '../temporal/release/release-view.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb } from '../verb.ts';
import { renderBases, renderFailure, renderNotes, renderRelease } from '../view/release.ts';

export default verb({
  group: 'release',
  summary: 'show how a release stands',
  examples: ['flightline status quay.io/acme/edge-camera:v1 --json'],
  json: 'print the record as JSON',

  syntax: (command) => command.argument(...RELEASE_ARGUMENT),

  async run([name], _, output) {
    return withReleaseOrPromotion(name, {
      release: (temporal, id) => printRelease(temporal, id, output),
      promotion: async (temporal, id) => {
        printPromotion(await readPromotion(temporal, id), output);
        return EXIT.ok;
      },
    });
  },
});

async function printRelease(temporal: Temporal, id: string, output: Output): Promise<number> {
  const view = await (await openRelease(temporal, id)).read();
  const { record } = view;
  const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
  const colour = output.colour.result;
  output.result(
    [
      ...renderRelease(view, { colour, columns: undefined, now: Date.now() }),
      ...[...renderBases(record), ...renderNotes(record, colour)].map((line) => `  ${line}`),
      ...(record.failure ? renderFailure(record.failure, record, colour) : []),
      ...(page ? [page] : []),
    ].join('\n'),
  );
  output.document(record);
  return EXIT.ok;
}
