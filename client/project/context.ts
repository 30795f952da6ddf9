/** Packs a local context and sends it to the registry, from where the build host fetches it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { sendContext } from '../../activities/context/context-artifact.ts';
import { packContext, type PackedContext } from '../../activities/context/pack.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { temporaryDirectory } from '../../activities/tools/temporary-directory.ts';
import { isLoopbackRegistry, registryOf } from '../../model/oci/reference.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { UserError } from '../terminal/errors.ts';
import type { Output } from '../terminal/output.ts';
import type { LoadedSpec } from './spec-loading.ts';
import { bytesInWords } from '../../model/base/words.ts';

type Sources = NonNullable<LoadedSpec['local']>;

/** Between two tries of a registry (ms). */
const PAUSES = [1_000, 2_000, 4_000, 8_000];
/** Most names of key files in a message. */
const NAMED_KEYS = 5;

/** A context that is being packed. */
export interface Packing {
  /** Another program packs, or nothing will: loading the SDK before would keep it from being started. */
  begun: Promise<void>;
  /** Fails as {@link packContext} does. */
  packed: Promise<PackedContext>;
  /** Removes what is packed. It may be called again. */
  remove(): Promise<void>;
}

/** Begins to pack: other programs do it, while this one loads Temporal's SDK, which takes as long. */
export function startPacking(sources: Sources): Packing {
  const { path, remove } = temporaryDirectory('flightline-context-');
  let tarRuns = () => {};
  const begun = new Promise<void>((resolve) => (tarRuns = resolve));
  const packed = packContext(sources, path, tarRuns);
  // Whoever waits for it is told.
  packed.catch(tarRuns);
  // A command that failed meanwhile does not wait for the packing, which may still write.
  return { begun, packed, remove };
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
    // Asked while it is packed.
    const asked = options.publicContext
      ? Promise.resolve('private' as const)
      : patiently(repository, output, () => access.repository(repository).exposure());
    asked.catch(() => undefined);
    const packed = await (packing?.packed ?? packContext(sources, access.directory));
    const exposure = await asked;
    if (exposure !== 'private' && packed.privateKeys.length > 0) {
      throw new UserError('public-context', ...exposedKeys(repository, packed.privateKeys, exposure));
    }
    // What is on a loopback address stays on this machine.
    if (exposure === 'public' && !isLoopbackRegistry(registryOf(repository))) {
      output.note(`warning: anybody can pull the context from ${repository}; make that repository private`);
    }
    output.note(`sending the context (${bytesInWords(packed.size)}) to ${repository}`);
    await patiently(repository, output, () => sendContext(access, repository, packed));
    await packing?.remove();
    return packed.digest;
  });
}

/** Tries again what a registry fails with for a moment, as workers do, but no longer than a person waits. */
async function patiently<Result>(repository: string, output: Output, work: () => Promise<Result>): Promise<Result> {
  for (const pause of PAUSES) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof FlightlineError) || error.failure.kind !== 'registry') throw error;
      output.note(`${registryOf(repository)} fails: ${error.message}; trying again in ${pause / 1_000} s`);
      await sleep(pause);
    }
  }
  return work();
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
  const others = 'name these files in .containerignore, or send it anyway with --public-context';
  if (exposure === 'public') {
    return [`${held}, and anybody can pull from ${repository}`, `make the repository private, or ${others}`];
  }
  return [
    `${held}, and the registry does not say who will be able to pull from ${repository}, which may not exist yet`,
    `create the repository as a private one, or ${others}`,
  ];
}
