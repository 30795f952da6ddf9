/** What is to be attested of a release, as statements. */
import { provenanceStatement, namedRepository } from '../../../model/attestation/provenance.ts';
import { SBOM_ARTIFACT_TYPE, SBOMS } from '../../../model/oci/sbom.ts';
import { digestSet, statementBytes, type PredicateType } from '../../../model/attestation/statement.ts';
import type { AttestInput } from '../../../model/contract/sign.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { packagesIn, type Package } from '../../../model/oci/packages.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import type { Attestation } from '../../../model/release/record.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import type { AttestedSubject } from './attach.ts';

/** Bytes of a bill of materials. The DSSE envelope around it may have 128 MiB. */
const MAX_SBOM = 64 * 1024 * 1024;

/** A statement about a digest. */
export interface ToAttest extends AttestedSubject {
  subject: Attestation['subject'];
  predicateType: PredicateType;
  statement: Uint8Array;
  /** Of a bill of materials; null when it cannot be read. */
  packages?: readonly Package[] | null;
}

/** The provenance, for each digest that it is attached to: devices and tools look beside the one that a tag names. */
export function provenanceStatements(
  { parameters, ...input }: AttestInput,
  builder: { id: string; version: string },
): ToAttest[] {
  if (!parameters) return [];
  const statement = provenanceStatement({ ...input, parameters, builder });
  const predicateType = 'https://slsa.dev/provenance/v1';
  const { image, disks } = input.record;
  return [{ type: 'image' as const, ...image }, ...disks].flatMap(({ type: subject, reference, digest }) => {
    if (reference === null || digest === null || !input.made.includes(subject)) return [];
    return [{ subject, repository: namedRepository(reference), digest, predicateType, statement }];
  });
}

/** The bills of materials, or what the registry has lost of them: null. */
export async function packageStatements(
  access: RegistryAccess,
  repository: string,
  { of: digest, artifact }: AttestInput['sboms'][number],
): Promise<ToAttest[] | null> {
  const place = access.repository(repository);
  const stored = await place.getManifest(artifact);
  if (!stored) return null;
  const manifest = parseManifest(stored.bytes);
  if (manifest?.artifactType !== SBOM_ARTIFACT_TYPE) {
    throw new FlightlineError('unexpected', `${repository}@${artifact} holds no bill of materials`);
  }
  const found: ToAttest[] = [];
  for (const layer of manifest.layers ?? []) {
    const format = Object.values(SBOMS).find(({ mediaType }) => mediaType === layer.mediaType);
    const bytes = format && (await place.getBlob(layer.digest, MAX_SBOM));
    if (!bytes) return null;
    const { predicateType } = format;
    const predicate: unknown = JSON.parse(bytes.toString('utf8'));
    const statement = statementBytes([{ name: repository, digest: digestSet(digest) }], predicateType, predicate);
    const packages = packagesIn(predicate);
    found.push({ subject: 'image', repository, digest, predicateType, statement, packages });
  }
  return found;
}
