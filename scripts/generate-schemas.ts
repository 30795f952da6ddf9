/** Writes the JSON Schemas of the package, which editors and other programs read; `--check` only compares them. */
import {
  diffJsonSchema,
  errorJsonSchema,
  flightlineJsonSchema,
  historyJsonSchema,
  hostsJsonSchema,
  listJsonSchema,
  notificationJsonSchema,
  promotionJsonSchema,
  recordJsonSchema,
  workerConfigurationJsonSchema,
} from '../model/json-schema.ts';
import { writeGenerated } from './generated-files.ts';

const SCHEMAS: Record<string, () => object> = {
  diff: diffJsonSchema,
  error: errorJsonSchema,
  flightline: flightlineJsonSchema,
  history: historyJsonSchema,
  hosts: hostsJsonSchema,
  list: listJsonSchema,
  notification: notificationJsonSchema,
  promotion: promotionJsonSchema,
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
