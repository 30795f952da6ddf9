/** The `rotateKeys` activity of sign workers: a turn of signatures by the new key. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { RotationInput } from '../../model/contract/sign.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';
import { attach } from '../trust/attest/attach.ts';
import { statementSigner } from '../trust/attest/statement-signer.ts';
import { openKey } from '../trust/keys.ts';
import { audit } from '../trust/sign.ts';
import { signDigest, unsignedTags } from '../trust/signatures.ts';
import { verifyDigest } from '../trust/verify.ts';
import { missingAttestations } from './attestations.ts';
import { decideRotation } from './decide.ts';
import { withRotationGround } from './ground.ts';

/** After this time (ms) no further tag begins: the sign worker has one slot, and releases wait for their signatures. */
const TURN = 60_000;

/**
 * Of each tag, image, disks and record are verified by the old key, signed by the new one and verified by it alone.
 * What it has signed already is not signed again, so an interrupted turn is repeated.
 */
function rotateTurn(
  { configuration }: { configuration: WorkerConfiguration },
  { request, release }: RotationInput,
  context: ActivityContext,
): Promise<ActivityAnswer<'rotateKeys'>> {
  return withRotationGround(configuration, request, async (ground) => {
    const { access, old, oldKeyFile } = ground;
    const until = Date.now() + TURN;
    const planned = (await decideRotation(ground)).filter(({ reason }) => reason === 'unsigned');
    const written = audit(context, request.newKey, release);
    const timeout = request.timing.command;
    for (const [index, { tag, parts }] of planned.entries()) {
      if (Date.now() > until) return { left: planned.length - index };
      context.report({ step: `signing ${tag}` });
      const key = await openKey(configuration, request.newKey, [...new Set(parts.map(({ repository }) => repository))]);
      for (const part of parts) {
        const subject = { repository: part.repository, digest: part.digest, tags: [part.tag] };
        if ((await unsignedTags(access, key.publicKey, subject)).length > 0) {
          await verifyDigest(access, { publicKeyFile: oldKeyFile, publicKey: old }, subject, timeout);
          await signDigest(access, key, subject, { timeout, written });
        }
        for (const { of: digest, predicateType, statement } of await missingAttestations(ground, part)) {
          const { publicKey } = key;
          const about = { repository: part.repository, digest };
          await attach(access, about, { statement, predicateType, publicKey, sign: statementSigner(key), timeout });
        }
        await verifyDigest(access, key, subject, timeout);
      }
    }
    return { left: 0 };
  });
}

export default rotateTurn satisfies WorkerBody<'rotateKeys'>;
