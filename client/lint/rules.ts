/** Every rule: each file of `rules/` is a rule of its name. */
import { codeFiles } from '../../activities/tools/package-root.ts';
import type { Rule } from './rule.ts';

/** A file of `rules/`. */
interface RuleFile {
  default: Rule;
}

/** Every rule, by name. The build finds the files by the pattern in `import`. */
export const RULES: readonly Rule[] = await Promise.all(
  codeFiles('client/lint/rules').map(async (name) => {
    const file = (await import(`./rules/${name}.ts`)) as RuleFile;
    return file.default;
  }),
);

/** The finding about silences themselves: an unknown rule, or no reason. */
export const SILENCE_RULE = {
  id: 'silence',
  reason: 'a silence that silences nothing, or says no reason, misleads the next reader',
};
