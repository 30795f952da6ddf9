/** What a stack needs of this machine, looked for before anything is downloaded, compiled or written. */
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import type { Role } from '../../model/contract/queue.ts';
import { FlightlineError } from '../../model/failure/failure.ts';

/** Names of distribution's registry program: Debian's, and the original. */
const REGISTRY_PROGRAMS = ['docker-registry', 'registry'];

/** The machine as far as a stack asks. */
interface StackMachine {
  /** Of the effective user; undefined where there are none. */
  user: number | undefined;
  /** The path of the first of these programs on PATH. */
  find(names: readonly string[]): string | undefined;
}

const thisMachine: StackMachine = {
  user: process.geteuid?.(),
  find(names) {
    const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => isAbsolute(directory));
    return names.flatMap((name) => directories.map((directory) => join(directory, name))).find((at) => existsSync(at));
  },
};

/**
 * Returns the registry program, or null when the stack has somebody else's registry.
 *
 * @throws FlightlineError `host-setup` with everything that is missing.
 */
export function stackNeeds(
  { roles, ownRegistry }: { roles: readonly Role[]; ownRegistry: boolean },
  machine: StackMachine = thisMachine,
): string | null {
  // Whoever is not root does not see /usr/sbin, so nothing else is known of this machine then.
  if (roles.includes('build') && machine.user !== 0) {
    throw new FlightlineError('host-setup', 'a stack is run as root: its disk builders are privileged containers', {
      remedy: {
        action: 'run `sudo env "PATH=$PATH" flightline up`; every other command runs without root',
        then: null,
      },
    });
  }
  const registry = ownRegistry ? machine.find(REGISTRY_PROGRAMS) : null;
  const missing = [
    ...(roles.includes('build') && !machine.find(['podman']) ? ['podman 5.0 or later'] : []),
    ...(!machine.find(['skopeo']) ? ['skopeo 1.14 or later'] : []),
    ...(registry === undefined
      ? ['a registry: docker-registry (Debian, Ubuntu) or docker-distribution (Fedora), or one named with --registry']
      : []),
  ];
  if (registry === undefined || missing.length > 0) {
    throw new FlightlineError('host-setup', `this machine lacks ${missing.join('; ')}`, {
      remedy: 'install what is missing, from a clone with `npm run setup -- --for demo`',
    });
  }
  return registry;
}
