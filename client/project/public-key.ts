/** The public key that a person means. */
import { access } from 'node:fs/promises';
import { UserError } from '../terminal/errors.ts';

/**
 * The path that was given, else what FLIGHTLINE_PUBLIC_KEY names.
 *
 * @throws UserError when there is none, or it cannot be read
 */
export async function publicKeyOr(given: string | undefined): Promise<string> {
  const key = given ?? process.env['FLIGHTLINE_PUBLIC_KEY'];
  if (!key) {
    throw new UserError(
      'usage',
      'no key is given, and FLIGHTLINE_PUBLIC_KEY names none',
      'name the public key with --key, or read the environment of a stack, which has its own',
    );
  }
  await access(key).catch((error: Error) => {
    throw new UserError(
      'key-missing',
      `the public key cannot be read: ${error.message}`,
      'name the .pub file of `flightline keygen`, or PEM that its owner gave you',
    );
  });
  return key;
}
