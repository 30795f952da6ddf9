/** What `--json` printed is what the published schema of its verb says. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

const SCHEMAS = join(import.meta.dirname, '../../schemas');
const COMMANDS = join(import.meta.dirname, '../../client/commands');
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const compiled = new Map<string, Promise<ValidateFunction>>();

function validator(name: string): Promise<ValidateFunction> {
  const known =
    compiled.get(name) ??
    readFile(join(SCHEMAS, `${name}.schema.json`), 'utf8').then((text) => ajv.compile(JSON.parse(text) as object));
  compiled.set(name, known);
  return known;
}

/** The names of the schemas in a verb's file, as text: to load the verbs would cost each file of tests a second. */
async function schemasOf(verb: string): Promise<string[]> {
  const text = await readFile(join(COMMANDS, `${verb}.ts`), 'utf8');
  const lists = [...text.matchAll(/\bschemas: \[([^\]]*)\]/g)].flatMap(([, list]) => list!.split(','));
  return [...new Set(lists.map((name) => name.trim().slice(1, -1)))];
}

/** @throws when none of the verb's schemas, nor that of errors, has what was printed */
export async function checkDocument(args: readonly string[], printed: string): Promise<void> {
  const document = JSON.parse(printed) as object;
  const names = 'error' in document ? ['error'] : await schemasOf(args[0]!);
  const problems: string[] = [];
  for (const name of names) {
    const validate = await validator(name);
    if (validate(document)) return;
    problems.push(`${name}: ${ajv.errorsText(validate.errors)}`);
  }
  throw new Error(
    `flightline ${args.join(' ')} printed what its schema does not have: ${problems.join('; ')}\n${printed}`,
  );
}
