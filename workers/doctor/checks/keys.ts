/** Checks the keys of the worker configuration: what the roles need is there, and only this worker can read it. */
import { access, constants, stat } from 'node:fs/promises';
import { readPublicKey } from '../../../activities/trust/keys.ts';
import type { SigningKey } from '../../../model/spec/worker-configuration.ts';
import { failed, ok, warning, type Check, type CheckResult } from '../check.ts';
import { worst } from './registries.ts';

const signingKeys: Check = {
  name: 'signing keys',
  roles: ['sign'],
  async run({ configuration }) {
    const named = Object.entries(configuration.keys);
    if (named.length === 0) {
      return warning(
        'the worker configuration has no keys',
        'create one with `flightline keygen` and list it under `keys`',
      );
    }
    return worst(await Promise.all(named.map(([name, key]) => lookAtKey(name, key))));
  },
};

async function lookAtKey(name: string, key: SigningKey): Promise<CheckResult> {
  const { privateKey, kms, passphraseFile, publicKey } = key;
  if (kms !== undefined) return lookAtFiles(name, key, [publicKey, ...(passphraseFile ? [passphraseFile] : [])]);
  if (privateKey === undefined || passphraseFile === undefined) {
    return failed(
      `key ${name} has only a public key: it cannot sign`,
      `name its privateKey and passphraseFile, or leave it to the control workers`,
    );
  }
  return lookAtFiles(name, key, [publicKey, privateKey, passphraseFile]);
}

/** The first file is public. */
async function lookAtFiles(name: string, { repositories }: SigningKey, files: string[]): Promise<CheckResult> {
  for (const file of files) {
    try {
      await access(file, constants.R_OK);
    } catch (error) {
      return failed(`key ${name}: ${(error as Error).message}`, 'put the file there, readable for the sign worker');
    }
  }
  for (const file of files.slice(1)) {
    if (((await stat(file)).mode & 0o077) !== 0) {
      return warning(`key ${name}: ${file} can be read by other users`, `chmod 600 ${file}`);
    }
  }
  return ok(`key ${name} is there, for ${repositories.join(', ')}`);
}

const publicKeys: Check = {
  name: 'public keys',
  roles: ['control'],
  async run({ configuration }) {
    const named = Object.entries(configuration.keys);
    if (named.length === 0) {
      return warning(
        'the worker configuration has no public keys: no record counts, so that a release that stands already is not ' +
          'recognised, each night releases, and nothing is promoted or rolled back',
        'list the publicKey and the repositories of every signing key under `keys`',
      );
    }
    return worst(
      await Promise.all(
        named.map(async ([name, { publicKey, repositories }]) => {
          try {
            await readPublicKey(publicKey);
          } catch (error) {
            return failed(`key ${name}: ${(error as Error).message}`, 'put the file there, readable for this worker');
          }
          return ok(`key ${name} verifies records of ${repositories.join(', ')}`);
        }),
      ),
    );
  },
};

export const keyChecks: readonly Check[] = [signingKeys, publicKeys];
