/** The `attest` activity: signs what is to be known of a release, and attaches it to what the release made. */
import { hostname } from 'node:os';
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { AttestInput } from '../../../model/contract/sign.ts';
import { namedRepository } from '../../../model/attestation/provenance.ts';
import { predicateName } from '../../../model/attestation/statement.ts';
import type { Attestation } from '../../../model/release/record.ts';
import type { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import type { Task } from '../../tools/process/task.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import { version } from '../../tools/version.ts';
import type { WorkerBody } from '../../server.ts';
import { openKey } from '../keys.ts';
import { attach, type AttestedSubject } from './attach.ts';
import { statementSigner } from './statement-signer.ts';
import { packageChanges } from './package-changes.ts';
import { packageStatements, provenanceStatements } from './statements.ts';

/** The `attest` activity of sign workers. */
async function attestRelease(
  { configuration }: { configuration: WorkerConfiguration },
  input: AttestInput,
  context: Task,
): Promise<ActivityAnswer<'attest'>> {
  const builder = { id: builderId(configuration), version: version() };
  const wanted = provenanceStatements(input, builder);
  const image = namedRepository(input.record.image.reference);
  const repositories = [...new Set([image, ...wanted.map(({ repository }) => repository)])];
  const key = await openKey(configuration, input.key, repositories);
  const signed = statementSigner(key);
  return withRegistryAccess(configuration, repositories, async (access) => {
    const attestations: Attestation[] = [];
    const vanished: string[] = [];
    for (const sbom of input.sboms) {
      const listed = await packageStatements(access, image, sbom);
      if (listed) wanted.push(...listed);
      else vanished.push(input.record.image.digest!);
    }
    for (const { subject, predicateType, statement, ...of } of wanted) {
      const sign = async () => {
        const envelope = await signed(statement);
        audit(context, input, { ...of, predicateType });
        return envelope;
      };
      const { publicKey } = key;
      const timeout = input.timing.transferStartToClose;
      const bundle = await attach(access, of, { statement, predicateType, publicKey, sign, timeout });
      if (bundle === null) vanished.push(subject === 'image' ? input.record.image.digest! : of.digest);
      else attestations.push({ subject, of: of.digest, predicateType, digest: bundle });
    }
    const packages = await packageChanges(access, input.record.image, wanted, key.publicKey);
    return { attestations, ...(packages.length > 0 && { packages }), vanished };
  });
}

/** Who vouches for the provenance. */
function builderId({ builderId: given, host }: Pick<WorkerConfiguration, 'builderId' | 'host'>): string {
  return given ?? `urn:flightline:worker:${host ?? hostname()}`;
}

function audit(
  context: Task,
  { key, release }: AttestInput,
  { repository, digest, predicateType }: AttestedSubject & { predicateType: string },
): void {
  const what = predicateName(predicateType);
  context.log('INFO', `attested the ${what} of ${repository}@${digest} with the key "${key}"`, {
    audit: 'attestation',
    key,
    repository,
    digest,
    release,
    predicateType,
  });
}

export default attestRelease satisfies WorkerBody<'attest'>;
