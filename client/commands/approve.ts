/** `flightline approve`: lets a release or promotion that waits for approval move its tags. */
import { decide } from '../temporal/decide.ts';
import { waive } from '../temporal/release/waive.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'tags',
  summary: 'let what waits for approval move its tags, or waive a gate',
  description:
    'Let what waits for approval move its tags: a release, or a promotion to REPOSITORY:TAG. With --waive a release ' +
    'goes on past a gate that holds it.',
  examples: [
    'flightline approve quay.io/acme/edge-camera:v1 --comment "tested in the lab"',
    'flightline approve quay.io/acme/edge-camera:v1 --waive licences --comment "asked the legal department"',
  ],
  json: { help: 'print JSON', schemas: ['decision', 'waiver'] },

  syntax: (command) =>
    command
      .argument(...RELEASE_ARGUMENT)
      .option('--comment <text>', 'why; kept in the record and history')
      .option('--waive <gate>', 'name of a gate that holds the release; --comment must say why it may go on')
      .option('--digest <digest>', 'with --waive: only what has this digest; default is all that the gate holds now'),

  run: ([name], { comment, waive: gate, digest }, output) =>
    gate === undefined && digest === undefined
      ? decide('approve', name, comment, output)
      : waive(name, { gate, digest, comment }, output),
});
