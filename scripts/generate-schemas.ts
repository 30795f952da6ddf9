/** Writes the JSON Schemas of the package, which editors and other programs read; `--check` only compares them. */
import {
  diffJsonSchema,
  flightlineJsonSchema,
  hostsJsonSchema,
  listJsonSchema,
  notificationJsonSchema,
  recordJsonSchema,
  workerConfigurationJsonSchema,
} from '../model/json-schema.ts';
import { writeGenerated } from './generated-files.ts';

const SCHEMAS: Record<string, () => object> = {
  diff: diffJsonSchema,
  flightline: flightlineJsonSchema,
  hosts: hostsJsonSchema,
  list: listJsonSchema,
  notification: notificationJsonSchema,
  record: recordJsonSchema,
  worker: workerConfigurationJsonSchema,
};

await writeGenerated(
  Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, schema]) => [
      `schemas/${name}.schema.json`,
      () => `${JSON.stringify(schema(), null, 2)}\n`,
    ]),
  ),
  'npm run schemas',
);
