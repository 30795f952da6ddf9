/** Takes attestations along to the repository that an image or disk is promoted to. */
import type { PromoteCopyInput } from '../../model/contract/tags.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { allowedKey, openKey, readPublicKey } from '../trust/keys.ts';
import { attach, type Attaching } from '../trust/attest/attach.ts';
import { attestedByTag, type Attested } from '../trust/attest/read-attested.ts';
import { statementSigner } from '../trust/attest/statement-signer.ts';

/**
 * Attaches what the source's key attests of an item to it in the target's repository, as it is. Where another key signs
 * there, that one attests the same, so that whoever knows only the target's key can verify it.
 *
 * @throws FlightlineError `signature-rejected` when an attestation that the record names is not there
 */
export async function carryOver(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { item, sourceKey, key, timing }: PromoteCopyInput,
): Promise<void> {
  const { attested = [], from, to } = item;
  if (attested.length === 0) return;
  const publicKey = await readPublicKey(allowedKey(configuration, sourceKey, [from.repository]).publicKey);
  const own = key === sourceKey ? null : await openKey(configuration, key, [to.repository]);
  const signed = own && statementSigner(own);
  for (const { predicateType, of: digest } of attested) {
    const subject = { repository: to.repository, digest };
    const found = await attestedByTag(access.repository(from.repository), { digest, predicateType, publicKey });
    if (found.length === 0) throw lost(from.repository, digest, predicateType);
    const attachAs = async (one: Attested, how: Pick<Attaching, 'publicKey' | 'sign'>) =>
      attach(access, subject, { ...how, statement: one.bytes, predicateType, timeout: timing.command });
    for (const one of found) {
      await attachAs(one, { publicKey, sign: () => Promise.resolve(one.envelope) });
      if (own && signed) await attachAs(one, { publicKey: own.publicKey, sign: signed });
    }
  }
}

function lost(repository: string, digest: string, predicateType: string): FlightlineError {
  return new FlightlineError(
    'signature-rejected',
    `${repository}@${digest} has no attestation ${predicateType} by the key of its release, which its record names`,
    { remedy: 'release it again, then promote it' },
  );
}
