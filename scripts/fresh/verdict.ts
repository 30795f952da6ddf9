import { z } from 'zod';

/** A finished step inside the root. */
export interface StepResult {
  name: string;
  code: number;
  seconds: number;
}

/** How long a step may take; the project's own promises. */
const LIMITS: Readonly<Record<string, number>> = { demo: 600, test: 1500, again: 90 };

const Line = z.tuple([z.string(), z.coerce.number(), z.coerce.number()]);

/** Reads the lines `step exit-code seconds` that the steps left. */
export function parseResults(text: string): StepResult[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name, code, seconds] = Line.parse(line.split(' '));
      return { name, code, seconds };
    });
}

/** A line per step, and whether every step succeeded in time. */
export function verdict(results: readonly StepResult[], wanted: readonly string[]): { lines: string[]; ok: boolean } {
  const lines: string[] = [];
  let ok = true;
  for (const name of wanted) {
    const result = results.find((candidate) => candidate.name === name);
    const limit = LIMITS[name];
    let problem = '';
    if (!result) problem = 'did not run';
    else if (result.code !== 0) problem = `exit code ${result.code}`;
    else if (limit !== undefined && result.seconds > limit) problem = `longer than ${limit} s`;
    if (problem !== '') ok = false;
    const time = result ? `${result.seconds} s`.padStart(8) : ''.padStart(8);
    lines.push(
      `${problem === '' ? 'ok    ' : 'FAILED'} ${name.padEnd(20)} ${time}${problem === '' ? '' : `  ${problem}`}`,
    );
  }
  return { lines, ok };
}
