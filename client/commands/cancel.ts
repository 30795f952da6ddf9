/** `flightline cancel`: ends a release, and waits until everything is cleaned up. */
import { cancelRelease } from '../follow/release-end.ts';
import { withTemporal } from '../temporal/temporal.ts';
import { releaseIdOf } from '../temporal/release-name.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'release',
  summary: 'end a release and clean up',
  description: 'End a release and wait until its hosts are cleaned up. No tag is moved.',
  examples: ['flightline cancel quay.io/acme/edge-camera:v1'],
  json: 'print the record as JSON',

  syntax: (command) => command.argument(...RELEASE_ARGUMENT),

  async run([name], _, output) {
    const id = releaseIdOf(name);
    return withTemporal((temporal) => withInterrupt((signal) => cancelRelease(temporal, id, output, signal)));
  },
});
