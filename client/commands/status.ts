/** `flightline status`: how a release, or a promotion, stands. */
import { promotionTarget } from '../../model/tags/promotion.ts';
import { withTemporal, workflowPage } from '../temporal/temporal.ts';
import { printPromotion } from '../follow/promotion.ts';
import { readPromotion } from '../temporal/promotion.ts';
import { releaseIdOf } from '../temporal/release-name.ts';
import { openRelease } from '../temporal/release/release-view.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { renderBases, renderFailure, renderNotes, renderRelease } from '../view/release.ts';

export default verb({
  group: 'release',
  summary: 'show how a release stands',
  examples: ['flightline status quay.io/acme/edge-camera:v1 --json'],
  json: 'print the record as JSON',

  syntax: (command) => command.argument(...RELEASE_ARGUMENT),

  async run([name], _, output) {
    if (promotionTarget(name) !== undefined) {
      return withTemporal(async (temporal) => {
        printPromotion(await readPromotion(temporal, name), output);
        return EXIT.ok;
      });
    }
    const id = releaseIdOf(name);
    return withTemporal(async (temporal) => {
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
    });
  },
});
