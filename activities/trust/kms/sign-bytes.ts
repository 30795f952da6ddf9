/**
 * Signs by a key that is not a file: in a cloud's key service, in Vault, or in a token that speaks PKCS#11. cosign
 * knows how to reach them, and takes the login that its environment has.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { CommandError, lastLines, runCommand } from '../../tools/process/command.ts';
import { registerSecret } from '../../tools/process/redact.ts';
import { withTemporaryDirectory } from '../../tools/temporary-directory.ts';

/** Where the key is, and how it is reached. */
export interface KmsKey {
  /** `awskms://…`, `gcpkms://…`, `azurekms://…`, `hashivault://…` or `pkcs11:…`. */
  kms: string;
  /** File whose first line is the PIN of a PKCS#11 token. */
  pinFile: string | undefined;
  /** cosign, by its name on PATH or its path. */
  program: string;
}

/** Milliseconds for one signature. */
const TIMEOUT = 120_000;

/** Variables by which cosign finds services, logins and modules. */
const PASSED_ON = /^(?:AWS_|GOOGLE_|CLOUDSDK_|AZURE_|VAULT_|TRANSIT_SECRET_ENGINE_PATH$|COSIGN_PKCS11_|SOFTHSM2_CONF$)/;

/**
 * Signs bytes (ECDSA or RSA over their sha256).
 *
 * @param name of the key, for failures
 * @throws FlightlineError `key-passphrase` when a token is locked or refuses the PIN; `key-missing`; `host-setup`
 */
export async function signBytes(name: string, key: KmsKey, bytes: Uint8Array): Promise<Buffer> {
  const environment = await environmentOf(name, key);
  return withTemporaryDirectory('flightline-sign-', async (directory) => {
    const [payload, signature] = [join(directory, 'payload'), join(directory, 'signature')];
    await writeFile(payload, bytes);
    const flags = ['--yes', '--tlog-upload=false', ...(await furtherFlags(name, key, environment))];
    await cosign(
      name,
      key,
      ['sign-blob', ...flags, '--key', key.kms, '--output-signature', signature, payload],
      environment,
    );
    return Buffer.from(await readFile(signature, 'utf8'), 'base64');
  });
}

async function environmentOf(name: string, { pinFile }: KmsKey): Promise<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const [variable, value] of Object.entries(process.env)) {
    if (PASSED_ON.test(variable) && value !== undefined) environment[variable] = value;
  }
  if (pinFile === undefined) return environment;
  try {
    const [pin = ''] = (await readFile(pinFile, 'utf8')).split('\n');
    registerSecret(pin);
    return { ...environment, COSIGN_PKCS11_PIN: pin };
  } catch (error) {
    throw new FlightlineError(
      'key-missing',
      `the PIN of the key "${name}" cannot be read: ${(error as Error).message}`,
    );
  }
}

/** Without these cosign 3 writes no signature of its own, but a bundle, and asks a transparency log. */
async function furtherFlags(name: string, key: KmsKey, environment: Record<string, string>): Promise<string[]> {
  const help = await cosign(name, key, ['sign-blob', '--help'], environment);
  // Since 3.1 it knows the format's flag, but no longer tells of it.
  if (help.includes('--use-signing-config')) return ['--use-signing-config=false', '--new-bundle-format=false'];
  return help.includes('--new-bundle-format') ? ['--new-bundle-format=false'] : [];
}

async function cosign(
  name: string,
  { program }: KmsKey,
  args: readonly string[],
  environment: Record<string, string>,
): Promise<string> {
  try {
    return (await runCommand(program, args, { timeout: TIMEOUT, environment })).stdout;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw failureOf(name, program, error);
  }
}

function failureOf(name: string, program: string, error: CommandError): FlightlineError {
  if (error.notFound) {
    const remedy = 'install cosign 2 or later on the sign worker, or name it with tools.cosign';
    return new FlightlineError('host-setup', `the key "${name}" needs ${program}, which is not installed`, { remedy });
  }
  const said = lastLines(error.stderr || error.message, 3);
  if (/unrecognized scheme|pkcs11 token key: unimplemented/.test(error.stderr)) {
    return new FlightlineError('host-setup', `${program} knows no such keys as "${name}": ${said}`, {
      remedy: "install sigstore's own cosign on the sign worker, and name it with tools.cosign: Debian's has less",
    });
  }
  if (/CKR_PIN_LOCKED/.test(error.stderr)) {
    return new FlightlineError('key-passphrase', `the token of the key "${name}" is locked: ${said}`, {
      remedy: 'unlock the token as its security officer, and correct the PIN in the passphraseFile of the key',
    });
  }
  if (/CKR_(?:PIN|USER)_/.test(error.stderr)) {
    return new FlightlineError('key-passphrase', `the token of the key "${name}" refuses the PIN: ${said}`, {
      remedy: 'correct the PIN in the passphraseFile of the key on the sign worker, before the token locks itself',
    });
  }
  return new FlightlineError('key-missing', `the key "${name}" cannot sign: ${said}`, {
    remedy: "look whether `cosign public-key --key URI` finds the key with the sign worker's environment",
  });
}
