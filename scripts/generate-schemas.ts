/** Writes the JSON Schemas of the package, which editors and other programs read; `--check` only compares them. */
import { JSON_SCHEMAS } from '../model/json-schema.ts';
import { writeGenerated } from './generated-files.ts';

await writeGenerated(
  Object.fromEntries(
    Object.entries(JSON_SCHEMAS).map(([name, schema]) => [
      `schemas/${name}.schema.json`,
      () => `${JSON.stringify(schema(), null, 2)}\n`,
    ]),
  ),
  'npm run schemas',
);
