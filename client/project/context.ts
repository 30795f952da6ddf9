/** Packs a local context and sends it to the registry, from where the build host fetches it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exposureOf } from '../../activities/tools/registry/registry.ts';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext, type PackedContext } from '../../activities/context/pack.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { isLoopbackRegistry, registryOf } from '../../model/oci/reference.ts';
import { UserError } from '../terminal/errors.ts';
import type { Output } from '../terminal/output.ts';
import type { LoadedSpec } from './spec-loading.ts';
import { bytesInWords } from '../../model/base/words.ts';

type Sources = NonNullable<LoadedSpec['local']>;

/** Most names of key files in a message. */
const NAMED_KEYS = 5;

/** A context that is being packed. */
export interface Packing {
  /** Fails as {@link packContext} does. */
  packed: Promise<PackedContext>;
  /** Removes what is packed. It may be called again. */
  remove(): Promise<void>;
}

/** Begins to pack: other programs do it, while this one loads Temporal's SDK, which takes as long. */
export async function startPacking(sources: Sources): Promise<Packing> {
  const scratch = await mkdtemp(join(tmpdir(), 'flightline-context-'));
  const packed = packContext(sources, scratch);
  // Whoever waits for it is told.
  packed.catch(() => undefined);
  // A command that failed meanwhile does not wait for the packing, which may still write.
  return { packed, remove: () => rm(scratch, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }) };
}

/**
 * Sends what is being packed; without it packs first.
 *
 * @returns the context artifact's digest.
 * @throws UserError `public-context` when private keys would be open to anybody, or could be; FlightlineError of the
 *   registry.
 */
export async function sendLocalContext(
  sources: Sources,
  repository: string,
  options: { publicContext: boolean },
  output: Output,
  packing: Packing | null,
): Promise<string> {
  return withUserAccess(async (access) => {
    const packed = await (packing?.packed ?? packContext(sources, access.directory));
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
    await packing?.remove();
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
