/** `flightline watch`: the progress of a release, or a promotion. */
import { promotionTarget } from '../../model/tags/promotion.ts';
import { withTemporal } from '../temporal/connection.ts';
import { detachable, printEnding } from '../temporal/ending.ts';
import { follow } from '../temporal/follow.ts';
import { followPromotion, printPromotion, readPromotion } from '../temporal/promotion-view.ts';
import { referenceOf, releaseIdOf } from '../temporal/release-name.ts';
import { openRelease } from '../temporal/release-view.ts';
import { RELEASE } from '../terminal/arguments.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'release',
  summary: 'show the progress of a release',
  description: 'Show the progress of a release to its end, or until it is held. Ctrl-C only stops watching.',
  examples: ['flightline watch quay.io/acme/edge-camera:v1'],
  json: 'print the record as JSON at the end; progress goes to standard error',

  syntax: (command) => command.argument(...RELEASE),

  async run([name], _, output) {
    if (promotionTarget(name) !== undefined) {
      return withTemporal((temporal) =>
        withInterrupt(async (signal) => {
          const { runId } = await readPromotion(temporal, name);
          return printPromotion(await followPromotion(temporal, { id: name, runId }, output, signal), output);
        }),
      );
    }
    const id = releaseIdOf(name);
    return withTemporal((temporal) =>
      withInterrupt((signal) =>
        detachable(referenceOf(id), async () => {
          const reader = await openRelease(temporal, id);
          return printEnding(await follow(reader, output, { until: 'settled', signal }), temporal, output);
        }),
      ),
    );
  },
});
