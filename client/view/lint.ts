/** What `flightline lint` found, in words. Pure. */
import type { Finding, LintResult } from '../lint/lint.ts';
import { plain, style } from './style.ts';

/** A finding with its reason and how to silence it. */
export function renderLintFinding(finding: Finding, colour: boolean): string[] {
  const paint = style(colour);
  return [
    `${paint.bold(plain(`${finding.file}:${finding.line}`))}: ${paint.yellow(finding.rule)}: ${plain(finding.message)}`,
    `    why: ${finding.reason}`,
    paint.dim(`    silence it on the line above: ${finding.silence}`),
  ];
}

/** The last line. */
export function renderLintVerdict({ findings, silenced }: LintResult): string {
  const quiet = silenced > 0 ? `, ${silenced} silenced` : '';
  return findings.length === 0
    ? `nothing found${quiet}`
    : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}${quiet}`;
}

/** One line for each finding, as `flightline run` shows them. */
export function renderAdvice(findings: readonly Finding[]): string[] {
  return findings.map(({ file, line, message, rule }) => plain(`${file}:${line}: ${message} (${rule})`));
}
