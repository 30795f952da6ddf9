/** What to do about a server that does not answer. */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where `flightline up` keeps its stack unless told otherwise. */
const STACK = '.flightline/stack';

/**
 * A remedy in words. Somebody who has named no server may run an embedded stack that this terminal does not know of.
 *
 * @param directory where the user stands
 */
export function absenceRemedy(named: boolean, directory: string): string {
  const environment = named ? null : stackEnvironment(directory);
  if (environment === null) {
    return 'start one with `flightline up`, or say where it is with TEMPORAL_ADDRESS or TEMPORAL_PROFILE';
  }
  return (
    `this terminal does not know the stack in ${dirname(environment)}: read its variables with \`. ${environment}\`, ` +
    'and start it with `flightline up` if it does not run'
  );
}

/**
 * The file with the variables of the stack that was made here or in a directory above; null without one. Somebody
 * else's does not count: a shell is to read it.
 */
function stackEnvironment(directory: string): string | null {
  for (let at = directory; ; at = dirname(at)) {
    const file = join(at, STACK, 'environment');
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isFile() && found.uid === process.geteuid?.()) return file;
    if (dirname(at) === at) return null;
  }
}
