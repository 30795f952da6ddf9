/** Finds the record of a tag without knowing which key signed it. */
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isAllowed, type SigningKey, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { LIST_PUBLIC_KEY } from '../trust/keys.ts';
import { findRecord } from '../trust/record.ts';

/** A verified record, and the name of the key that signed it. */
interface SignedRecord {
  key: string;
  digest: string;
  record: ReleaseRecord;
}

/**
 * The record of a name that any configured key which may sign there has signed; null without one.
 *
 * @param name.at the record's digest or another tag of it; the default is the tag.
 */
export async function recordByAnyKey(
  access: RegistryAccess,
  configuration: Pick<WorkerConfiguration, 'keys'>,
  name: { repository: string; tag: string; at?: string },
): Promise<SignedRecord | null> {
  for (const [key, { publicKey }] of keysFor(configuration, name.repository)) {
    const found = await findRecord(access, name, publicKey);
    if (found) return { key, ...found };
  }
  return null;
}

/** @throws FlightlineError `key-missing` when no configured key may sign in the repository, so that no record counts */
export function requirePublicKey(configuration: Pick<WorkerConfiguration, 'keys'>, repository: string): void {
  if (keysFor(configuration, repository).length > 0) return;
  throw new FlightlineError('key-missing', `the control worker has no public key to verify records of ${repository}`, {
    remedy: LIST_PUBLIC_KEY,
  });
}

function keysFor({ keys }: Pick<WorkerConfiguration, 'keys'>, repository: string): [string, SigningKey][] {
  return Object.entries(keys).filter(([, { repositories }]) => isAllowed(repositories, repository));
}
