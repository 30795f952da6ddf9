/** `flightline version`: of this command. */
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { version } from '../../activities/tools/version.ts';

export default verb({
  group: 'machine',
  summary: 'print the version',
  examples: ['flightline version'],
  json: { help: 'print the versions of flightline and Node.js as JSON', schemas: ['version'] },

  syntax: (command) => command,

  async run(_, _options, output) {
    output.result(`flightline ${version()} (Node.js ${process.versions.node})`);
    output.document({ version: version(), node: process.versions.node });
    return EXIT.ok;
  },
});
