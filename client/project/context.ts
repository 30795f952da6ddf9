/** Packs a local context and sends it to the registry, from where the build host fetches it. */
import { exposureOf } from '../../activities/tools/registry/registry.ts';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext } from '../../activities/context/pack.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { isLoopbackRegistry, registryOf } from '../../model/oci/reference.ts';
import { UserError } from '../terminal/errors.ts';
import type { Output } from '../terminal/output.ts';
import type { LoadedSpec } from './spec-loading.ts';
import { bytesInWords } from '../../model/base/words.ts';

/** Most names of key files in a message. */
const NAMED_KEYS = 5;

/**
 * Packs and sends.
 *
 * @returns the context artifact's digest.
 * @throws UserError `public-context` when private keys would be open to anybody, or could be; FlightlineError of the
 *   registry.
 */
export async function sendLocalContext(
  sources: NonNullable<LoadedSpec['local']>,
  repository: string,
  options: { publicContext: boolean },
  output: Output,
): Promise<string> {
  return withUserAccess(async (access) => {
    const packed = await packContext(sources, access.directory);
    const exposure = options.publicContext ? 'private' : await exposureOf(access, repository);
    if (exposure !== 'private' && packed.privateKeys.length > 0) {
      throw new UserError('public-context', ...exposedKeys(repository, packed.privateKeys, exposure));
    }
    // What is on a loopback address stays on this machine.
    if (exposure === 'public' && !isLoopbackRegistry(registryOf(repository))) {
      output.note(`warning: anybody can pull the context from ${repository}; make that repository private`);
    }
    output.note(`sending the context (${bytesInWords(packed.size)}) to ${repository}`);
    await sendContext(access, repository, packed);
    return packed.digest;
  });
}

/** What is wrong with sending private keys to a repository, and the way out. */
export function exposedKeys(
  repository: string,
  keys: readonly string[],
  exposure: 'public' | 'unknown',
): [message: string, remedy: string] {
  const named = keys.slice(0, NAMED_KEYS).join(', ');
  const more = keys.length > NAMED_KEYS ? ` and ${keys.length - NAMED_KEYS} more` : '';
  const held = `the context holds what looks like a private key (${named}${more})`;
  const others = 'name these files in .containerignore, or send it all the same with --public-context';
  if (exposure === 'public') {
    return [`${held}, and anybody can pull from ${repository}`, `make the repository private, or ${others}`];
  }
  return [
    `${held}, and the registry does not say who will be able to pull from ${repository}, which may not exist yet`,
    `create the repository as a private one, or ${others}`,
  ];
}
