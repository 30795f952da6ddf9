/**
 * skopeo: copying between registries and layouts, signing, verifying, making keys. Argument lists are pure functions.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '../../../model/base/host.ts';
import { policyFor } from '../../../model/device/signature-policy.ts';
import { sha256 } from '../../../model/base/digest.ts';
import { withFreshToken, type RegistryAccess } from './access.ts';
import { runCommand } from '../process/command.ts';
import { intoRegistry, registryError } from './classify.ts';

/** Milliseconds for a copy when the caller names none. */
const COPY_TIMEOUT = 4 * 60_000;
/** Milliseconds to make a key; its key derivation takes about a second. */
const KEY_TIMEOUT = 60_000;

/** How a copy is signed. */
interface CopySignature {
  /** Paths of the sigstore private key and of a file whose first line is its passphrase. */
  privateKey: string;
  passphraseFile: string;
  /** `repository:tag` that is signed for. */
  identity: string;
}

interface Copy {
  /** With its transport: `docker://R@D`, `docker://R:T`, `oci:DIR`, `dir:DIR`. */
  source: string;
  destination: string;
  /** For an index: `all` (default) copies every entry; `index-only` copies the index, whose entries must exist. */
  multiArch?: 'all' | 'index-only';
  /** Of an index, copies what is for this architecture alone, as a machine of it pulls. */
  architecture?: Architecture | undefined;
  /** Adds a signature to those of the digest. Without it a copy has no signatures. */
  sign?: CopySignature;
  /**
   * A policy.json that the source must satisfy. Without it everything is accepted, even against the machine's policy.
   */
  policy?: string;
}

interface CopyOptions {
  /** Milliseconds; default 4 minutes. A big disk needs more. */
  timeout?: number;
  /** Milliseconds after which a copy that moves no bytes is ended; none by default. */
  stall?: number;
  /** File to which skopeo's output is appended, redacted. */
  logFile?: string;
  onLine?: (line: string) => void;
}

/** Arguments of `skopeo copy`. Digests are always preserved. */
export function copyArguments(
  copy: Copy,
  access: Pick<RegistryAccess, 'authfile' | 'registriesDirectory' | 'insecure'>,
): string[] {
  return [
    // Do not depend on the machine's policy.json: verification is a separate step.
    ...(copy.policy === undefined ? ['--insecure-policy'] : ['--policy', copy.policy]),
    '--registries.d',
    access.registriesDirectory,
    ...(copy.architecture ? [`--override-arch=${copy.architecture}`, '--override-os=linux'] : []),
    'copy',
    ...(copy.multiArch === 'index-only' ? ['--multi-arch', 'index-only'] : copy.architecture ? [] : ['--all']),
    '--preserve-digests',
    ...(access.authfile === undefined ? [] : ['--authfile', access.authfile]),
    ...tlsArguments('--src-tls-verify=false', copy.source, access),
    ...tlsArguments('--dest-tls-verify=false', copy.destination, access),
    ...(copy.sign
      ? [
          '--sign-by-sigstore-private-key',
          copy.sign.privateKey,
          '--sign-passphrase-file',
          copy.sign.passphraseFile,
          '--sign-identity',
          copy.sign.identity,
        ]
      : ['--remove-signatures']),
    copy.source,
    copy.destination,
  ];
}

function tlsArguments(flag: string, name: string, access: Pick<RegistryAccess, 'insecure'>): string[] {
  const repository = repositoryIn(name);
  return repository !== undefined && access.insecure(repository) ? [flag] : [];
}

/** The repository in `docker://R:T`, `docker://R@D`; `undefined` for other transports. */
function repositoryIn(name: string): string | undefined {
  const text = /^docker:\/\/(.*)$/.exec(name)?.[1];
  return text?.replace(/@.*$/, '').replace(/:[^:/]*$/, '');
}

/**
 * Copies an image, index or artifact, digest for digest.
 *
 * @throws FlightlineError of the kind that `failure.ts` reads from skopeo's message.
 */
export async function copyImage(
  access: Pick<RegistryAccess, 'authfile' | 'registriesDirectory' | 'insecure'>,
  copy: Copy,
  options: CopyOptions = {},
): Promise<void> {
  await withFreshToken(() => copyOnce(access, copy, options));
}

async function copyOnce(
  access: Pick<RegistryAccess, 'authfile' | 'registriesDirectory' | 'insecure'>,
  copy: Copy,
  options: CopyOptions,
): Promise<void> {
  try {
    await runCommand('skopeo', copyArguments(copy, access), {
      timeout: options.timeout ?? COPY_TIMEOUT,
      keepOutput: false,
      stall: options.stall,
      logFile: options.logFile,
      onLine: options.onLine,
    });
  } catch (error) {
    const failure = registryError(error, describe(copy));
    if (!copy.destination.startsWith('docker://')) throw failure;
    throw intoRegistry(failure, copy.source.startsWith('docker://') ? 'registry' : 'host');
  }
}

function describe(copy: Copy): string {
  const plain = (name: string) => name.replace(/^docker:\/\//, '');
  if (copy.sign) return `signing ${plain(copy.source)} for ${copy.sign.identity}`;
  if (copy.policy !== undefined) return `verifying ${plain(copy.source)}`;
  return `copying ${plain(copy.source)} to ${plain(copy.destination)}`;
}

/**
 * Arguments of `skopeo generate-sigstore-key`: writes `<prefix>.private` (0600) and `<prefix>.pub`, never over existing
 * files.
 */
function generateKeyArguments(prefix: string, passphraseFile: string): string[] {
  return ['generate-sigstore-key', '--output-prefix', prefix, '--passphrase-file', passphraseFile];
}

/**
 * Makes a sigstore key pair; the passphrase is the first line of the file.
 *
 * @throws CommandError when a file is there already or cannot be written.
 */
export async function generateKey(
  prefix: string,
  passphraseFile: string,
): Promise<{ privateKey: string; publicKey: string }> {
  await runCommand('skopeo', generateKeyArguments(prefix, passphraseFile), { timeout: KEY_TIMEOUT });
  return { privateKey: `${prefix}.private`, publicKey: `${prefix}.pub` };
}

/**
 * Writes the policy.json (containers-policy.json(5)) under which a device pulls: it rejects everything but the
 * repository, whose images must have a signature by the key for the name that they are pulled by.
 *
 * @param signedAs the repository that signatures name, for what was imported from there
 * @returns its path, in the access's private directory
 */
export async function writeDevicePolicy(
  access: Pick<RegistryAccess, 'directory'>,
  repository: string,
  publicKeyFile: string,
  signedAs = repository,
): Promise<string> {
  const imported = signedAs === repository ? undefined : { from: signedAs, to: repository };
  const policy = JSON.stringify(policyFor([repository], { path: publicKeyFile, imported }, 'reject'));
  const file = join(access.directory, `policy-${sha256(policy).slice(0, 12)}.json`);
  await writeFile(file, policy);
  return file;
}
