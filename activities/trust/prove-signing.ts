/** Proves that signing works, before an hour is spent on a build. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { ProveSigningInput } from '../../model/contract/sign.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { sha256 } from '../../model/base/digest.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey, stampOf, type OpenedKey } from './keys.ts';
import { signedName } from './signatures.ts';
import { signerOf } from './signing/signer.ts';
import { signedPayload } from './signing/write-signatures.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { together } from '../tools/together.ts';
import type { WorkerBody } from '../server.ts';

/** The `proveSigning` activity of sign workers. */
async function proveRightToSign(
  worker: { configuration: WorkerConfiguration },
  { key: keyName, repositories }: ProveSigningInput,
): Promise<ActivityAnswer<'proveSigning'>> {
  const key = await openKey(worker.configuration, keyName, repositories);
  await proveOnce(key);
  await withRegistryAccess(worker.configuration, repositories, (access) =>
    together([...new Set(repositories)], (repository) => access.repository(repository).provePushRight()),
  );
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
      await proveOnce(await openKey(configuration, name, []));
    } catch (error) {
      problems.push(`the key "${name}" cannot sign: ${(error as Error).message}`);
    }
  }
  return problems;
}

async function proveOnce(key: OpenedKey): Promise<void> {
  // A token may be locked or taken away: one that is no file is proved each time.
  const files = 'kms' in key ? null : await stampOf(key);
  if (files !== null && proven.has(files)) return;
  await proveKey(key);
  if (files !== null) proven.add(files);
}

/** The files by which this process has proved a key: one that is written to, or replaced, is to be proved again. */
const proven = new Set<string>();

/** The name that the proof signs for. It does not exist, and the signature is discarded. */
const PROOF_NAME = 'flightline.invalid/proof:of-key';

/**
 * Signs something, and checks the signature with the public key.
 *
 * @throws FlightlineError `key-passphrase`; `key-missing` when a file is not a key, or public and private key are not a
 * pair.
 */
async function proveKey(key: OpenedKey): Promise<void> {
  const digest = `sha256:${sha256('proof')}`;
  const payload = signedPayload(PROOF_NAME, digest);
  const signature = (await signerOf(key)(payload)).toString('base64');
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
