import { FlightlineError } from '../../model/failure/failure.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { claimedRecord } from './record.ts';

/**
 * `true` when an earlier release of the same repository made a tag outside that repository, where another project may
 * have images, disks or records.
 *
 * @param owner the release's own repository
 */
export async function isOwnTag(
  access: RegistryAccess,
  repository: string,
  tag: string,
  owner: string,
): Promise<boolean> {
  const record = await claimedRecord(access, repository, tag);
  return record ? record.image.reference.startsWith(`${owner}:`) : !(await hasRecord(access, repository, tag));
}

/** `true` when a release of its own made the tag, whose record is at the default place. */
async function hasRecord(access: RegistryAccess, repository: string, tag: string): Promise<boolean> {
  try {
    return (await access.repository(`${repository}/release`).headManifest(tag)) !== null;
  } catch (error) {
    // Some registries refuse a repository that does not exist.
    if (error instanceof FlightlineError && /^registry-(?:login|denied)$/.test(error.failure.kind)) return false;
    throw error;
  }
}
