/** The named keys of the operator's configuration, and the repositories that each may sign for. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { access, constants, readFile } from 'node:fs/promises';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isAllowed, type SigningKey, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { registerSecret } from '../tools/process/redact.ts';
import type { KmsKey } from './kms/sign-bytes.ts';

/** What helps where records cannot be verified. */
export const LIST_PUBLIC_KEY =
  "ask the operator to list the key's publicKey and repositories under `keys` in the control worker's configuration";

/** The part of a key that devices have. Paths are absolute. */
interface PublicPart {
  name: string;
  publicKeyFile: string;
  publicKey: KeyObject;
}

/** A key in a file. Paths are absolute. */
export type FileKey = PublicPart & { privateKey: string; passphraseFile: string };

/** A key with which this worker can sign. */
export type OpenedKey = FileKey | (PublicPart & { kms: KmsKey });

/**
 * Opens a key by name for these repositories. From now on its passphrase is redacted from all output.
 *
 * @throws FlightlineError `key-not-allowed` when it does not list one of them; `key-missing` when there is no such key
 * or one of its files cannot be read.
 */
export async function openKey(
  configuration: Pick<WorkerConfiguration, 'keys'> & Partial<Pick<WorkerConfiguration, 'tools'>>,
  name: string,
  repositories: readonly string[],
): Promise<OpenedKey> {
  const { privateKey, kms, passphraseFile, publicKey } = allowedKey(configuration, name, repositories);
  const known = async () => ({
    name,
    publicKeyFile: publicKey,
    publicKey: await readPublicKey(publicKey, `the public key of the key "${name}"`),
  });
  if (kms !== undefined) {
    const program = configuration.tools?.cosign ?? 'cosign';
    return { ...(await known()), kms: { kms, pinFile: passphraseFile, program } };
  }
  if (privateKey === undefined || passphraseFile === undefined) {
    throw new FlightlineError('key-missing', `the key "${name}" has only a public key here: nothing can sign with it`);
  }
  try {
    await access(privateKey, constants.R_OK);
  } catch (error) {
    throw missing(name, 'private key', error);
  }
  try {
    const [passphrase = ''] = (await readFile(passphraseFile, 'utf8')).split('\n');
    registerSecret(passphrase);
  } catch (error) {
    throw missing(name, 'passphrase file', error);
  }
  return { ...(await known()), privateKey, passphraseFile };
}

/** The configured key of that name, if it may sign for all the repositories. Throws like {@link openKey}. Pure. */
export function allowedKey(
  configuration: Pick<WorkerConfiguration, 'keys'>,
  name: string,
  repositories: readonly string[],
): SigningKey {
  const key = Object.hasOwn(configuration.keys, name) ? configuration.keys[name] : undefined;
  if (!key) {
    const known = Object.keys(configuration.keys);
    throw new FlightlineError(
      'key-missing',
      `the sign worker has no key "${name}"; it has ` +
        `${known.length > 0 ? known.map((other) => `"${other}"`).join(', ') : 'none'}`,
    );
  }
  const refused = repositories.filter((repository) => !isAllowed(key.repositories, repository));
  if (refused.length > 0) {
    throw new FlightlineError(
      'key-not-allowed',
      `the key "${name}" may not sign for ${refused.join(', ')}; it is for ${key.repositories.join(', ')}`,
    );
  }
  return key;
}

/** A public key from a PEM file. @throws FlightlineError `key-missing` */
export async function readPublicKey(file: string, what = 'the public key'): Promise<KeyObject> {
  try {
    const text = await readFile(file, 'utf8');
    // createPublicKey would also derive a public key from a private one, which must not be used here.
    if (!text.includes('-----BEGIN PUBLIC KEY-----')) throw new Error('it does not hold a PEM public key');
    return createPublicKey(text);
  } catch (error) {
    throw new FlightlineError('key-missing', `${what}, ${file}, cannot be used: ${(error as Error).message}`);
  }
}

function missing(name: string, what: string, error: unknown): FlightlineError {
  return new FlightlineError(
    'key-missing',
    `the ${what} of the key "${name}" cannot be read: ${(error as Error).message}`,
  );
}
