/** `flightline reject`: ends a release or promotion that waits for approval. */
import { decide } from '../temporal/decide.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'tags',
  summary: 'end what waits for approval; no tag moves',
  description: 'End what waits for approval; no tag moves: a release, or a promotion to REPOSITORY:TAG.',
  examples: ['flightline reject quay.io/acme/edge-camera:v1 --comment "does not boot in the lab"'],
  json: { help: 'print JSON', schemas: ['decision'] },

  syntax: (command) =>
    command.argument(...RELEASE_ARGUMENT).option('--comment <text>', 'why; kept in the record and history'),

  run: ([name], { comment }, output) => decide('reject', name, { comment }, output),
});
