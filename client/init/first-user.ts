/** The first user of a project's devices, from what `flightline init` was told. */
import { readFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { UserError } from '../terminal/errors.ts';
import type { FirstUser } from './choices.ts';

/** A line of `authorized_keys` without options: kind, key and perhaps a comment. */
const PUBLIC_KEY = /^(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[\w-]+@openssh\.com) [A-Za-z0-9+/=]+(?: [^\r\n]*)?$/;
/** useradd's rule for names. */
const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/**
 * The user with a name and a file with a public key; null when there is no file. The name is by default that of whoever
 * runs the command, or `admin` for root.
 *
 * @throws UserError `usage`
 */
export function firstUser(name: string | undefined, file: string): FirstUser | null {
  if (file === '') {
    if (name === undefined) return null;
    throw new UserError('usage', `--user ${name} could not log in`, 'give --ssh-key FILE with a public key too');
  }
  const problem = problemWithKeyFile(file);
  if (problem)
    throw new UserError('usage', `--ssh-key: ${problem}`, 'name a public key, such as ~/.ssh/id_ed25519.pub');
  const chosen = name ?? ownName();
  if (!USER_NAME.test(chosen)) {
    throw new UserError('usage', `"${chosen}" is not a user name`, 'give --user with lower case letters and digits');
  }
  return { name: chosen, key: readKey(file) };
}

/** Why a file is not a public key; undefined for one, and for no file at all. */
export function problemWithKeyFile(file: string): string | undefined {
  if (file === '') return undefined;
  try {
    return PUBLIC_KEY.test(readKey(file)) ? undefined : `${file} is not a public SSH key`;
  } catch (error) {
    return `${file} cannot be read: ${(error as Error).message}`;
  }
}

function readKey(file: string): string {
  return readFileSync(file.replace(/^~(?=\/)/, homedir()), 'utf8').trim();
}

function ownName(): string {
  const { username } = userInfo();
  return username === 'root' || !USER_NAME.test(username) ? 'admin' : username;
}
