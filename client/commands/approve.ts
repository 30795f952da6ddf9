/** `flightline approve`: lets a release or promotion that waits for approval move its tags. */
import { Option } from '@commander-js/extra-typings';
import { decide } from '../temporal/decide.ts';
import { waive } from '../temporal/release/waive.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'tags',
  summary: 'let what waits for approval move its tags, or waive a gate',
  description:
    'Let what waits for approval move its tags: a release, or a promotion to REPOSITORY:TAG. With --waive a release ' +
    'goes on past a gate that holds it; with --without, without a held platform that image.allowMissing names.',
  examples: [
    'flightline approve quay.io/acme/edge-camera:v1 --comment "tested in the lab"',
    'flightline approve quay.io/acme/edge-camera:v1 --waive licences --comment "asked the legal department"',
    'flightline approve quay.io/acme/edge-camera:v1 --without linux/arm64 --comment "no arm64 host this week"',
  ],
  json: { help: 'print JSON', schemas: ['decision', 'waiver'] },

  syntax: (command) =>
    command
      .argument(...RELEASE_ARGUMENT)
      .option('--comment <text>', 'why; kept in the record and history; required with --without')
      .option('--waive <gate>', 'name of a gate that holds the release; --comment must say why it may go on')
      .option('--digest <digest>', 'with --waive: only what has this digest; default is all that the gate holds now')
      .addOption(
        new Option('--without <platform>', 'the held platform to go on without, such as linux/arm64').conflicts([
          'waive',
          'digest',
        ]),
      ),

  run: ([name], { comment, waive: gate, digest, without }, output) =>
    gate === undefined && digest === undefined
      ? decide('approve', name, { comment, without }, output)
      : waive(name, { gate, digest, comment }, output),
});
