/** Proves that signing works, before an hour is spent on a build. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ProveSigningInput } from '../../model/contract/sign.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { sha256 } from '../../model/base/digest.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { blobArtifact } from '../../model/oci/manifest.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey, type FileKey, type OpenedKey } from './keys.ts';
import { signBytes } from './kms/sign-bytes.ts';
import { signedPayload } from './kms/write-signature.ts';
import { signedName } from './signatures.ts';
import { writeLayout } from '../tools/registry/oci-layout.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
import { together } from '../tools/together.ts';
import type { WorkerBody } from '../server.ts';

/** The `proveSigning` activity of sign workers. */
async function proveRightToSign(
  worker: { configuration: WorkerConfiguration },
  { key: keyName, repositories, timing }: ProveSigningInput,
): Promise<ActivityAnswer<'proveSigning'>> {
  const key = await openKey(worker.configuration, keyName, repositories);
  await withRegistryAccess(worker.configuration, repositories, async (access) => {
    await proveOnce(access, key, timing.command);
    await together([...new Set(repositories)], (repository) => access.repository(repository).provePushRight());
  });
  return { publicKey: key.publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/**
 * Proves each key of a sign worker, so that no release waits for it.
 *
 * @returns what is wrong, a line for each key that cannot sign
 */
export async function proveKeys(configuration: WorkerConfiguration): Promise<string[]> {
  const problems: string[] = [];
  for (const name of Object.keys(configuration.keys)) {
    try {
      const key = await openKey(configuration, name, []);
      await withRegistryAccess(configuration, [], (access) => proveOnce(access, key, DEFAULT_TIMING.command));
    } catch (error) {
      problems.push(`the key "${name}" cannot sign: ${(error as Error).message}`);
    }
  }
  return problems;
}

async function proveOnce(access: RegistryAccess, key: OpenedKey, timeout: number): Promise<void> {
  if ('kms' in key) return proveKmsKey(key);
  const files = await stampOf(key);
  if (!proven.has(files)) await proveKey(access, key, timeout);
  proven.add(files);
}

/** The files by which this process has proved a key: one that is written to, or replaced, is to be proved again. */
const proven = new Set<string>();

async function stampOf({ privateKey, passphraseFile, publicKeyFile }: FileKey): Promise<string> {
  const stamps = [privateKey, passphraseFile, publicKeyFile].map(async (file) => {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [file, dev, ino, size, mtimeNs, ctimeNs].join(' ');
  });
  return (await Promise.all(stamps)).join('\n');
}

/** The name that the proof signs for. It does not exist, and the signature is discarded. */
const PROOF_NAME = 'flightline.invalid/proof:of-key';

/**
 * skopeo's file of a signature in a `dir:` (containers/image `internal/signature`): a zero byte, this word, then JSON.
 */
const SIGNATURE_PREFIX = '\0sigstore-json\n';
const StoredSignature = z.object({
  payload: z.base64(),
  annotations: z.object({ 'dev.cosignproject.cosign/signature': z.string() }),
});

/**
 * Signs something in a private directory, without a registry, and checks the signature with the public key.
 *
 * @param timeout milliseconds
 * @throws FlightlineError `key-passphrase`; `key-missing` when a file is not a key, or public and private key are not a
 * pair.
 */
async function proveKey(access: RegistryAccess, key: FileKey, timeout: number): Promise<void> {
  const bytes = new TextEncoder().encode('proof');
  const digest = `sha256:${sha256(bytes)}`;
  const layout = blobArtifact({
    artifactType: 'application/vnd.flightline.proof',
    blob: { mediaType: 'text/plain', digest, size: bytes.length },
  });
  const source = join(access.directory, 'proof');
  const destination = join(access.directory, 'proof-signed');
  await writeLayout(source, layout, [{ digest, bytes }]);
  await copyImage(
    access,
    {
      source: `oci:${source}`,
      destination: `dir:${destination}`,
      sign: { privateKey: key.privateKey, passphraseFile: key.passphraseFile, identity: PROOF_NAME },
    },
    { timeout },
  );
  const text = await readFile(join(destination, 'signature-1'), 'utf8');
  const { payload, annotations } = StoredSignature.parse(JSON.parse(text.slice(SIGNATURE_PREFIX.length)));
  const signature = annotations['dev.cosignproject.cosign/signature'];
  const name = signedName(Buffer.from(payload, 'base64'), signature, key.publicKey, layout.root.digest);
  if (name !== PROOF_NAME) throw notAPair(key);
}

/** The same for a key that is not a file, each time: a token may be locked or taken away. */
async function proveKmsKey(key: Exclude<OpenedKey, FileKey>): Promise<void> {
  const digest = `sha256:${sha256('proof')}`;
  const payload = signedPayload(PROOF_NAME, digest);
  const signature = (await signBytes(key.name, key.kms, payload)).toString('base64');
  if (signedName(payload, signature, key.publicKey, digest) !== PROOF_NAME) throw notAPair(key);
}

function notAPair({ name, publicKeyFile }: OpenedKey): FlightlineError {
  return new FlightlineError(
    'key-missing',
    `the public key ${publicKeyFile} does not belong to the private key of "${name}": devices would refuse what ` +
      'it signs',
    { remedy: "correct publicKey of the key in the sign worker's configuration" },
  );
}

export default proveRightToSign satisfies WorkerBody<'proveSigning'>;
