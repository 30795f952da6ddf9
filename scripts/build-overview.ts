/**
 * Writes the lines of `flightline --help` for `dist/`, so that it loads no verb; scripts/bootstrap.mjs calls it after
 * each compilation.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { verbOverview } from '../client/verbs.ts';

const file = join(import.meta.dirname, '../client/overview.json');
writeFileSync(file, `${JSON.stringify(await verbOverview(), null, 2)}\n`);
