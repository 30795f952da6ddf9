/** The stack's own signing key, created once by skopeo with a random passphrase. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { CommandError } from '../../activities/tools/process/command.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { STACK_KEY, type StackPaths } from './files.ts';

/**
 * Creates the key and its passphrase file (0600) unless they exist.
 *
 * @throws FlightlineError `host-setup` when skopeo is missing or fails.
 */
export async function ensureKey(paths: StackPaths): Promise<void> {
  if ([paths.privateKey, paths.publicKey, paths.passphrase].every((file) => existsSync(file))) return;
  if (existsSync(paths.keys)) {
    throw new FlightlineError('host-setup', `the signing key in ${paths.keys} is incomplete`, {
      remedy: {
        action:
          `put the missing file back, or move ${paths.keys} away: a new key is made, and what the old one ` +
          'signed is no longer verified',
        then: null,
      },
    });
  }
  // Created elsewhere and moved into place when complete, so that a kill never leaves part of a key.
  const draft = `${paths.keys}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  const passphrase = join(draft, basename(paths.passphrase));
  await writeFile(passphrase, randomBytes(24).toString('base64url'), { mode: 0o600 });
  try {
    await generateKey(join(draft, STACK_KEY), passphrase);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new FlightlineError('host-setup', `cannot create the signing key: ${error.message}`, {
      remedy: error.notFound ? 'install skopeo 1.14 or later' : "fix what skopeo's message names",
    });
  }
  await rename(draft, paths.keys);
}
