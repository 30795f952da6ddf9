import { FlightlineError } from '../../model/failure/failure.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { claimedName } from './record.ts';

/**
 * Whether a tag beside a release's own repository is what an earlier release of the same repository left. Another
 * project may have its images, disks or records there.
 *
 * @param owner the release's own repository
 */
export async function isOwnTag(
  access: RegistryAccess,
  repository: string,
  tag: string,
  owner: string,
): Promise<boolean> {
  const name = await claimedName(access, repository, tag);
  return name === null ? !(await hasRecord(access, repository, tag)) : name.startsWith(`${owner}:`);
}

/** `true` when a release of its own made the tag: its record lies where records lie without another word. */
async function hasRecord(access: RegistryAccess, repository: string, tag: string): Promise<boolean> {
  try {
    return (await access.repository(`${repository}/release`).headManifest(tag)) !== null;
  } catch (error) {
    // Some registries refuse a repository that does not exist.
    if (error instanceof FlightlineError && /^registry-(?:login|denied)$/.test(error.failure.kind)) return false;
    throw error;
  }
}
