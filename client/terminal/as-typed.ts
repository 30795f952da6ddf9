/** Hints name commands; here they become what this user can type. */
import { relative } from 'node:path';
import { codeFiles } from '../../activities/tools/package-root.ts';

/**
 * A text for people with its commands as this user can type them: by npm when it was called by npm, and with the spec
 * that was named.
 */
export function asTyped(text: string, spec?: string): string {
  const command = commandName(process.env, process.cwd());
  const named = command === 'flightline' ? text : text.replaceAll(commandPattern(), command);
  return spec === undefined ? named : named.replaceAll('--spec flightline.yaml', `--spec ${spec}`);
}

/** What `npm run flightline` tells its script: INIT_CWD is where the user stands, npm_config_local_prefix the clone. */
function commandName(environment: NodeJS.ProcessEnv, directory: string): string {
  const { npm_lifecycle_event: script, npm_config_local_prefix: clone } = environment;
  if (script !== 'flightline' || !clone) return 'flightline';
  const inside = !relative(clone, directory).startsWith('..');
  return inside ? 'npm run flightline --' : `npm --prefix ${clone} run flightline --`;
}

/**
 * `flightline` before one of its verbs, which are the files of `commands/`: elsewhere it is the name of the program.
 */
function commandPattern(): RegExp {
  const verbs = codeFiles('client/commands');
  return new RegExp(`(?<![\\w/.-])flightline(?= (?:${verbs.join('|')})(?![\\w-]))`, 'g');
}
