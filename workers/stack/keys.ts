/** The stack's own signing key, made once by skopeo with a random passphrase. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CommandError } from '../../activities/tools/process/command.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import { FlightlineError } from '../../model/release/failure.ts';
import { STACK_KEY, type StackPaths } from './files.ts';

/**
 * Makes the key and its passphrase file (0600) unless they are there.
 *
 * @throws FlightlineError `host-setup` when skopeo is missing or cannot make it.
 */
export async function ensureKey(paths: StackPaths): Promise<void> {
  if ([paths.privateKey, paths.publicKey, paths.passphrase].every((file) => existsSync(file))) return;
  if (existsSync(paths.keys)) {
    throw new FlightlineError('host-setup', `the signing key in ${paths.keys} is incomplete`, {
      remedy: `put the missing file back, or move ${paths.keys} away: a new key is made, and what the old one signed is no longer verified`,
    });
  }
  // Made aside and moved into place whole, so that a kill leaves no half of a key.
  const draft = `${paths.keys}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const passphrase = join(draft, basename(paths.passphrase));
  await writeFile(passphrase, randomBytes(24).toString('base64url'), { mode: 0o600 });
  try {
    await generateKey(join(draft, STACK_KEY), passphrase);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new FlightlineError('host-setup', `the signing key could not be made: ${error.message}`, {
      remedy: error.notFound ? 'install skopeo 1.14 or later' : "mend what skopeo's message names",
    });
  }
  await rename(draft, paths.keys);
}
