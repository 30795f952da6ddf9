/** `flightline approve`: lets a release or promotion that waits for approval move its tags. */
import { decide } from '../temporal/decide.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'tags',
  summary: 'let what waits for approval move its tags',
  description: 'Let what waits for approval move its tags: a release, or a promotion to REPOSITORY:TAG.',
  examples: ['flightline approve quay.io/acme/edge-camera:v1 --comment "tested in the lab"'],
  json: { help: 'print JSON', schemas: ['decision'] },

  syntax: (command) =>
    command.argument(...RELEASE_ARGUMENT).option('--comment <text>', 'why; kept in the record and history'),

  run: ([name], { comment }, output) => decide('approve', name, comment, output),
});
