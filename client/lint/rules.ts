/** Every rule: each file of `rules/` is one, of its own name. */
import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { Rule } from './rule.ts';

/** `.ts`, or `.js` in `dist/`. */
const SUFFIX = extname(import.meta.filename);
const NAMES = readdirSync(join(import.meta.dirname, 'rules')).filter((file) => extname(file) === SUFFIX);

/** Every rule, by name. */
export const RULES: readonly Rule[] = await Promise.all(
  NAMES.sort().map(async (file) => {
    const name = file.slice(0, -SUFFIX.length);
    return ((await import(/* @vite-ignore */ `./rules/${name}${SUFFIX}`)) as { default: Rule }).default;
  }),
);

/** The finding about silences themselves: an id that is none, or no reason given. */
export const SILENCE_RULE = {
  id: 'silence',
  reason: 'a silence that silences nothing, or says no reason, misleads the next reader',
};
