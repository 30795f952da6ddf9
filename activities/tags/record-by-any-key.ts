/** Finds the record of a tag without knowing which key signed it. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
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
  for (const [key, { publicKey, repositories }] of Object.entries(configuration.keys)) {
    if (!isAllowed(repositories, name.repository)) continue;
    const found = await findRecord(access, name, publicKey);
    if (found) return { key, ...found };
  }
  return null;
}
