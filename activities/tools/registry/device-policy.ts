/** The policy.json under which a device pulls (containers-policy.json(5)). */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { policyFor } from '../../../model/device/signature-policy.ts';
import { sha256 } from '../../../model/release/inputs.ts';
import type { RegistryAccess } from './access.ts';

/**
 * Everything is rejected but the repository, whose images must carry a signature by the key for the very name they are pulled
 * by. The entry is the one that devices get. Pure.
 */
export function devicePolicy(repository: string, publicKeyFile: string): string {
  return JSON.stringify(policyFor([repository], publicKeyFile, 'reject'));
}

/** Writes the policy into the access's private directory. @returns its path */
export async function writeDevicePolicy(
  access: Pick<RegistryAccess, 'directory'>,
  repository: string,
  publicKeyFile: string,
): Promise<string> {
  const policy = devicePolicy(repository, publicKeyFile);
  const file = join(access.directory, `policy-${sha256(policy).slice(0, 12)}.json`);
  await writeFile(file, policy);
  return file;
}
