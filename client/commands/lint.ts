/** `flightline lint`: what the guide advises otherwise, before anything is built. */
import { lintLoaded } from '../project/linting.ts';
import { loadSpec } from '../project/spec-loading.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { renderLintFinding, renderLintVerdict } from '../view/lint.ts';

export default verb({
  group: 'project',
  summary: 'advice before the build',
  description:
    'Look for what the guide advises otherwise, in the Containerfile and the spec. `flightline run` does it too.',
  examples: ['flightline lint', 'flightline lint flightline.yaml --strict'],
  json: { help: 'print the findings as JSON', schemas: ['lint'] },

  syntax: (command) =>
    command.argument('[spec]', 'the spec', 'flightline.yaml').option('--strict', 'exit with 1 when something is found'),

  async run([file], { strict }, output) {
    const loaded = await loadSpec(file);
    const result = await lintLoaded(loaded);
    for (const finding of result.findings) output.result(renderLintFinding(finding, output.colour.result).join('\n'));
    if (loaded.local === null) output.note('note: the context is a git repository: only the spec was linted');
    output.result(renderLintVerdict(result));
    const ok = !(strict && result.findings.length > 0);
    output.document({ ok, ...result });
    return ok ? EXIT.ok : EXIT.failed;
  },
});
