/** The `attest` activity: makes the provenance of a release, signs it, and attaches it to all that the release made. */
import { hostname } from 'node:os';
import type { KeyObject } from 'node:crypto';
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { AttestInput } from '../../../model/contract/sign.ts';
import { provenanceStatement } from '../../../model/attestation/provenance.ts';
import type { PredicateType } from '../../../model/attestation/statement.ts';
import type { Attestation, ReleaseRecord } from '../../../model/release/record.ts';
import type { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import type { Task } from '../../tools/process/task.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import { version } from '../../tools/version.ts';
import type { WorkerBody } from '../../server.ts';
import { openKey } from '../keys.ts';
import { attach, type AttestedSubject } from './attach.ts';
import { unlockKey } from './private-key.ts';
import { signStatement } from './signed-statement.ts';

const PROVENANCE = 'https://slsa.dev/provenance/v1' satisfies PredicateType;

/** The `attest` activity of sign workers. */
async function attestRelease(
  { configuration }: { configuration: WorkerConfiguration },
  input: AttestInput,
  context: Task,
): Promise<ActivityAnswer<'attest'>> {
  const subjects = attestedSubjects(input.record, input.made);
  const repositories = [...new Set(subjects.map(({ repository }) => repository))];
  const key = await openKey(configuration, input.key, repositories);
  const builder = { id: builderId(configuration), version: version() };
  const statement = provenanceStatement({ ...input, builder });
  let unlocked: Promise<KeyObject> | undefined;
  return withRegistryAccess(configuration, repositories, async (access) => {
    const attestations: Attestation[] = [];
    const vanished: string[] = [];
    for (const { subject, ...of } of subjects) {
      const sign = async () => {
        const envelope = signStatement(statement, await (unlocked ??= unlockKey(key)));
        audit(context, input, of);
        return envelope;
      };
      const { publicKey } = key;
      const timeout = input.timing.command;
      const bundle = await attach(access, of, { statement, predicateType: PROVENANCE, publicKey, sign, timeout });
      if (bundle === null) vanished.push(of.digest);
      else attestations.push({ subject, predicateType: PROVENANCE, digest: bundle });
    }
    return { attestations, vanished };
  });
}

/** The digests that get the attestation: devices and tools look beside the one that a tag names. */
function attestedSubjects(
  { image, disks }: ReleaseRecord,
  made: readonly Attestation['subject'][],
): (AttestedSubject & Pick<Attestation, 'subject'>)[] {
  return [{ type: 'image' as const, ...image }, ...disks].flatMap(({ type, reference, digest }) => {
    if (reference === null || digest === null || !made.includes(type)) return [];
    return [{ subject: type, repository: reference.slice(0, reference.lastIndexOf(':')), digest }];
  });
}

/** Who vouches for the provenance. */
function builderId({ builderId: given, host }: Pick<WorkerConfiguration, 'builderId' | 'host'>): string {
  return given ?? `urn:flightline:worker:${host ?? hostname()}`;
}

function audit(context: Task, { key, release }: AttestInput, { repository, digest }: AttestedSubject): void {
  context.log('INFO', `attested the provenance of ${repository}@${digest} with the key "${key}"`, {
    audit: 'attestation',
    key,
    repository,
    digest,
    release,
    predicateType: PROVENANCE,
  });
}

export default attestRelease satisfies WorkerBody<'attest'>;
