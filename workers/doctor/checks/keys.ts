/** Checks the signing keys of the worker configuration: they exist, and only this worker can read them. */
import { access, constants, stat } from 'node:fs/promises';
import type { SigningKey } from '../../../model/spec/worker-configuration.ts';
import { failed, ok, warning, type Check, type CheckResult } from '../check.ts';
import { worst } from './registries.ts';

const keys: Check = {
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
    return worst(await Promise.all(named.map(([name, key]) => look(name, key))));
  },
};

async function look(name: string, key: SigningKey): Promise<CheckResult> {
  for (const file of [key.privateKey, key.publicKey, key.passphraseFile]) {
    try {
      await access(file, constants.R_OK);
    } catch (error) {
      return failed(`key ${name}: ${(error as Error).message}`, 'put the file there, readable for the sign worker');
    }
  }
  for (const file of [key.privateKey, key.passphraseFile]) {
    if (((await stat(file)).mode & 0o077) !== 0) {
      return warning(`key ${name}: ${file} can be read by other users`, `chmod 600 ${file}`);
    }
  }
  return ok(`key ${name} is there, for ${key.repositories.join(', ')}`);
}

export const keyChecks: readonly Check[] = [keys];
