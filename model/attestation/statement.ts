/**
 * Statements of the in-toto attestation framework, and the types of predicates that flightline makes.
 * https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
 */
import { z } from 'zod';
import { canonicalJson } from '../base/digest.ts';
import { SBOMS } from '../oci/sbom.ts';

const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';

/** What each predicate is called, by the type that stands in its statement. */
const PREDICATES = {
  'https://slsa.dev/provenance/v1': 'provenance',
  [SBOMS.spdx.predicateType]: 'SPDX bill of materials',
  [SBOMS.cyclonedx.predicateType]: 'CycloneDX bill of materials',
} as const;
export type PredicateType = keyof typeof PREDICATES;

/** A type of predicate as people say it: itself, when flightline does not make such. */
export function predicateName(type: string): string {
  return Object.hasOwn(PREDICATES, type) ? PREDICATES[type as PredicateType] : type;
}

/** Something with a digest: a subject or a dependency. */
export interface ResourceDescriptor {
  name?: string;
  uri?: string;
  /** Without the algorithm in front of the hexadecimal digits. */
  digest: Record<string, string>;
  annotations?: Record<string, unknown>;
}

/** The parts of a statement that flightline reads. */
const Statement = z.looseObject({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.array(z.looseObject({ name: z.string().optional(), digest: z.record(z.string(), z.string()) })).min(1),
  predicateType: z.string(),
  predicate: z.unknown(),
});
export type Statement = z.infer<typeof Statement>;

/** A statement as bytes. Equal statements give equal bytes. */
export function statementBytes(
  subject: readonly ResourceDescriptor[],
  predicateType: PredicateType,
  predicate: unknown,
): Uint8Array {
  return new TextEncoder().encode(canonicalJson({ _type: STATEMENT_TYPE, subject, predicateType, predicate }));
}

/** Reads a statement; undefined when the bytes are none. */
export function parseStatement(bytes: Uint8Array): Statement | undefined {
  try {
    return Statement.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

/** `true` when a statement is about a digest (`sha256:<hex>`). */
export function isAbout({ subject }: Statement, digest: string): boolean {
  return subject.some((one) => `sha256:${one.digest['sha256']}` === digest);
}

/** `sha256:<hex>` as a digest set. */
export function digestSet(digest: string): Record<string, string> {
  return { sha256: digest.slice('sha256:'.length) };
}
