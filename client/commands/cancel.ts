/** `flightline cancel`: ends a release, and waits until everything is cleaned up; or a promotion. */
import { cancelRelease } from '../follow/release-end.ts';
import { cancelPromotion } from '../follow/promotion.ts';
import { withReleaseOrPromotion } from '../temporal/promotion.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'release',
  summary: 'end a release and clean up',
  description: 'End a release and wait until its hosts are cleaned up, or end a promotion. No tag is moved.',
  examples: ['flightline cancel quay.io/acme/edge-camera:v1'],
  json: { help: 'print the record as JSON', schemas: ['record', 'promotion'] },

  syntax: (command) => command.argument(...RELEASE_ARGUMENT),

  async run([name], _, output) {
    return withInterrupt((signal) =>
      withReleaseOrPromotion(name, {
        release: (temporal, id) => cancelRelease(temporal, id, output, signal),
        promotion: (temporal, id) => cancelPromotion(temporal, id, output, signal),
      }),
    );
  },
});
