/** Comments that silence findings: `# flightline-lint: ignore=RULE[,RULE…] reason`. Pure. */

/** One such comment. */
export interface Silence {
  /** Its line, from 1. */
  line: number;
  rules: string[];
  reason: string;
}

const SILENCE = /^\s*#\s*flightline-lint:\s*(.*)$/;
const IGNORE = /^ignore=([A-Za-z0-9,-]*)\s*(.*)$/;

/** Finds the silences in a text. A malformed one, after `flightline-lint:`, has no rules. */
export function silencesIn(lines: readonly string[]): Silence[] {
  return lines.flatMap((text, index) => {
    const words = SILENCE.exec(text)?.[1];
    if (words === undefined) return [];
    const [, rules = '', reason = ''] = IGNORE.exec(words.trim()) ?? [];
    return [{ line: index + 1, rules: rules.split(',').filter((rule) => rule !== ''), reason: reason.trim() }];
  });
}

/** Whether a rule is silenced for a line: by a comment among those that stand directly above it. */
export function isSilenced(
  lines: readonly string[],
  silences: readonly Silence[],
  rule: string,
  line: number,
): boolean {
  for (let above = line - 1; above > 0 && /^\s*#/.test(lines[above - 1]!); above--) {
    if (silences.some((silence) => silence.line === above && silence.rules.includes(rule))) return true;
  }
  return false;
}
