/** `flightline lint`: what the guide advises otherwise, before anything is built. */
import { EXIT } from '../terminal/exit-codes.ts';
import { lintLoaded } from '../project/linting.ts';
import type { Output } from '../terminal/output.ts';
import { loadSpec } from '../project/spec-loading.ts';
import { renderLintFinding, renderLintVerdict } from '../view/lint.ts';

/** Options of `flightline lint`. */
export interface LintOptions {
  /** Findings are errors. */
  strict?: boolean | undefined;
}

/** Lints a spec and its Containerfile. Exit code 1 for findings with `strict`; without it they are advice. */
export async function lint(file: string, options: LintOptions, output: Output): Promise<number> {
  const loaded = await loadSpec(file);
  const result = await lintLoaded(loaded);
  for (const finding of result.findings) output.result(renderLintFinding(finding, output.colour.result).join('\n'));
  if (loaded.local === null) output.note('note: the context is a git repository: only the spec was linted');
  output.result(renderLintVerdict(result));
  const ok = !(options.strict && result.findings.length > 0);
  output.document({ ok, ...result });
  return ok ? EXIT.ok : EXIT.failed;
}
