/** `flightline watch`: the progress of a release, or a promotion. */
import { detachable, printEnding } from '../follow/ending.ts';
import { followRelease } from '../follow/release.ts';
import { followPromotion, printPromotion } from '../follow/promotion.ts';
import { readPromotion, withReleaseOrPromotion } from '../temporal/promotion.ts';
import { referenceOf } from '../temporal/release-name.ts';
import { openNamed } from '../temporal/release/runs.ts';
import { RUN_ARGUMENT } from '../terminal/arguments.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'release',
  summary: 'show the progress of a release',
  description: 'Show the progress of a release to its end, or until it is held. Ctrl-C only stops watching.',
  examples: ['flightline watch quay.io/acme/edge-camera:v1'],
  json: {
    help: 'print the record as JSON at the end; progress goes to standard error',
    schemas: ['record', 'promotion'],
  },

  syntax: (command) => command.argument(...RUN_ARGUMENT),

  async run([name], _, output) {
    return withInterrupt((signal) =>
      withReleaseOrPromotion(name, {
        release: (temporal, id) =>
          detachable(referenceOf(id), async () => {
            const reader = await openNamed(temporal, name);
            return printEnding(await followRelease(reader, output, { until: 'settled', signal }), temporal, output);
          }),
        promotion: async (temporal, id) => {
          const { runId } = await readPromotion(temporal, id);
          return printPromotion(await followPromotion(temporal, { id, runId }, output, signal), output);
        },
      }),
    );
  },
});
