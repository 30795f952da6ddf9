/** Looks at a project by all rules. Pure: files are read by client/project/linting.ts. */
import leven from 'leven';
import type { Found, Project, Rule, SpecOnly } from './rule.ts';
import { RULES, SILENCE_RULE } from './rules.ts';
import { isSilenced, silencesIn, type Silence } from './silences.ts';

/** A finding, as it is shown and printed with `--json`. */
export interface Finding {
  rule: string;
  /** As the user names it. */
  file: string;
  /** From 1. */
  line: number;
  message: string;
  reason: string;
  /** How to silence it. */
  silence: string;
}

/** The answer of {@link lint}. */
export interface LintResult {
  /** In the order of files and lines. */
  findings: Finding[];
  /** How many a comment silenced. */
  silenced: number;
}

/** A file as the user names it, with its lines. */
interface LintedFile {
  name: string;
  lines: readonly string[];
}

/** What is looked at. */
export interface LintInput {
  specFile: LintedFile;
  specOnly: SpecOnly;
  /** null when the Containerfile is not on this machine. */
  project: { file: LintedFile; project: Project; instructionLines: readonly number[] } | null;
}

/** Lints. */
export function lint({ specFile, specOnly, project }: LintInput): LintResult {
  const ofContainerfile = project
    ? inFile(project.file, project.instructionLines, (rule) => rule.containerfile?.(project.project) ?? [])
    : NOTHING;
  const ofSpec = inFile(specFile, [], (rule) => rule.spec?.(specOnly) ?? []);
  return {
    findings: [...ofContainerfile.findings, ...ofSpec.findings],
    silenced: ofContainerfile.silenced + ofSpec.silenced,
  };
}

const NOTHING: LintResult = { findings: [], silenced: 0 };

function inFile(file: LintedFile, instructionLines: readonly number[], find: (rule: Rule) => Found[]): LintResult {
  const silences = silencesIn(file.lines);
  let silenced = 0;
  const findings = RULES.flatMap((rule) => {
    const found = once(find(rule));
    const loud = found.filter(({ line }) => {
      // A comment may stand above the line itself, or above the instruction that the line belongs to.
      const begins = instructionLines.findLast((start) => start <= line) ?? line;
      return ![line, begins].some((at) => isSilenced(file.lines, silences, rule.id, at));
    });
    silenced += found.length - loud.length;
    return loud.map(({ line, message }) => finding(file.name, rule, line, message));
  });
  return { findings: [...findings, ...wrongSilences(file.name, silences)].sort((a, b) => a.line - b.line), silenced };
}

function finding(file: string, rule: Pick<Rule, 'id' | 'reason'>, line: number, message: string): Finding {
  const silence = `# flightline-lint: ignore=${rule.id} why`;
  return { rule: rule.id, file, line, message, reason: rule.reason, silence };
}

/** One finding for each line: a copied directory may hold many files of a kind. */
function once(found: readonly Found[]): Found[] {
  const lines = [...new Set(found.map(({ line }) => line))];
  return lines.map((line) => {
    const [first, ...more] = [...new Set(found.filter((one) => one.line === line).map(({ message }) => message))];
    return { line, message: `${first}${more.length > 0 ? ` (and ${more.length} more like it)` : ''}` };
  });
}

function wrongSilences(file: string, silences: readonly Silence[]): Finding[] {
  const known = RULES.map(({ id }) => id);
  return silences.flatMap(({ line, rules, reason }) => {
    const unknown = rules.find((rule) => !known.includes(rule));
    const problem =
      rules.length === 0
        ? 'the comment is not understood; write `# flightline-lint: ignore=RULE why`'
        : unknown !== undefined
          ? `there is no rule "${unknown}"; did you mean "${nearest(unknown, known)}"?`
          : reason === ''
            ? `the comment says no reason; write one after ignore=${rules.join(',')}`
            : undefined;
    return problem === undefined
      ? []
      : [{ ...finding(file, SILENCE_RULE, line, problem), silence: 'correct the comment' }];
  });
}

function nearest(word: string, known: readonly string[]): string {
  return known.toSorted((left, right) => leven(word, left) - leven(word, right))[0]!;
}
