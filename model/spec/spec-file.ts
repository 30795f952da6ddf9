/** Reads YAML text by a schema, and gives every problem its line and column. Pure: the caller reads the file. */
import leven from 'leven';
import type { z } from 'zod';
import { readYaml, type Problem } from './yaml-text.ts';

/** The answer of {@link parseYamlFile}. */
type FileResult<T> = { ok: true; value: T } | { ok: false; problems: Problem[] };

/**
 * Parses YAML text by a zod schema. Lists all problems: duplicate keys, unknown keys with the nearest known one, wrong
 * values. Of text that is not YAML it lists the first one.
 */
export function parseYamlFile<Schema extends z.ZodType>(text: string, schema: Schema): FileResult<z.infer<Schema>> {
  const read = readYaml(text);
  if (!read.ok) return read;
  const { value, place } = read.yaml;
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return { ok: true, value: parsed.data };
  const problems = explainIssues(schema, parsed.error.issues).map(({ path, message, key }) => ({
    ...place(path, key),
    path: formatPath(key === undefined ? path : [...path, key]),
    message,
  }));
  return { ok: false, problems: unique(problems) };
}

/** The message for a missing key. It follows the path without a colon. */
const MISSING = 'is missing';

/** A problem that a schema finds: path, message and, for an unknown key, its name. */
interface Explained {
  path: PropertyKey[];
  message: string;
  key?: string;
}

/** Words a schema's issues. Names the nearest known key for an unknown one. */
export function explainIssues(schema: z.ZodType, issues: readonly z.core.$ZodIssue[]): Explained[] {
  return issues.flatMap((issue) => explain(issue));

  function explain(issue: z.core.$ZodIssue): Explained[] {
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, issue.path);
      return issue.keys.map((key) => ({ path: issue.path, key, message: unknownKeyMessage(key, known) }));
    }
    // A union reports a list of issues per branch. The user meant the branch with the fewest.
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const best = [...issue.errors].sort(
        (left, right) => depth(right) - depth(left) || left.length - right.length,
      )[0]!;
      return best.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] }));
    }
    // zod's message for a missing key is about types.
    const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
    return [{ path: issue.path, message: isMissing ? MISSING : issue.message }];
  }
}

/** How many problems are shown at once, and the longest line. */
const SHOWN_PROBLEMS = 3;
const SHOWN_LENGTH = 300;

/** The first problems, shortened, and how many more there are. */
export function fewLines(lines: readonly string[]): string[] {
  const shown = lines.slice(0, SHOWN_PROBLEMS).map((line) => {
    const one = line.replaceAll(/\s*[\r\n]+\s*/g, ' ');
    return one.length > SHOWN_LENGTH ? `${one.slice(0, SHOWN_LENGTH)}…` : one;
  });
  return lines.length > shown.length ? [...shown, `and ${lines.length - shown.length} more`] : shown;
}

/** The first problems, as {@link problemLines} tells them. */
export function formatProblems(file: string, problems: readonly Problem[]): string {
  return fewLines(problemLines(file, problems)).join('\n');
}

/** `FILE:3:5: image.repository: …`, or `… image.repository is missing`, for each problem. */
export function problemLines(file: string, problems: readonly Problem[]): string[] {
  return problems.map(({ line, column, path, message }) => {
    const colon = message === MISSING ? '' : ':';
    return `${file}:${line}:${column}: ${path ? `${path}${colon} ` : ''}${message}`;
  });
}

function unknownKeyMessage(key: string, known: readonly string[]): string {
  const nearest = known
    .map((name) => ({ name, distance: leven(key.toLowerCase(), name.toLowerCase()) }))
    .sort((left, right) => left.distance - right.distance)[0];
  const close = nearest && nearest.distance <= Math.max(2, Math.floor(key.length / 2));
  return close
    ? `unknown key "${key}"; did you mean "${nearest.name}"?`
    : `unknown key "${key}"; known here: ${known.join(', ')}`;
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(...issues.map((issue) => issue.path.length), 0);
}

function unique(problems: Problem[]): Problem[] {
  return problems.filter(
    (problem, index) =>
      problems.findIndex((other) => other.path === problem.path && other.message === problem.message) === index,
  );
}

/** `customizations.user[0].name`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => text + (typeof part === 'number' ? `[${part}]` : `${text ? '.' : ''}${String(part)}`),
    '',
  );
}

interface SchemaDefinition {
  type?: string;
  innerType?: SchemaNode;
  element?: SchemaNode;
  options?: SchemaNode[];
  in?: SchemaNode;
  valueType?: SchemaNode;
  shape?: Record<string, SchemaNode>;
}
interface SchemaNode {
  _zod: { def: SchemaDefinition };
}

/** The keys that the schema knows at a path, through wrappers, arrays and unions. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let nodes = objectsOf(schema as unknown as SchemaNode);
  for (const part of path) {
    nodes = nodes.flatMap((node) => {
      const { def } = node._zod;
      const child =
        def.type === 'array' ? def.element : def.type === 'record' ? def.valueType : def.shape?.[String(part)];
      return child ? objectsOf(child) : [];
    });
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node._zod.def.shape ?? {})))];
}

function objectsOf(node: SchemaNode): SchemaNode[] {
  const { def } = node._zod;
  if (def.innerType) return objectsOf(def.innerType);
  if (def.type === 'union') return (def.options ?? []).flatMap(objectsOf);
  if (def.type === 'pipe' && def.in) return objectsOf(def.in);
  return [node];
}
