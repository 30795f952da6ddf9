/** What a release knows of its attestations. */
import type { Attestation } from '../../model/release/record.ts';

export interface AttestedState {
  /** Of what, as digests joined by commas; null before. */
  digests: string | null;
  attestations: Attestation[];
  /** The digests of the last try, and when it began, ISO 8601. */
  trying: string | null;
  at: string;
}

export function nothingAttested(): AttestedState {
  return { digests: null, attestations: [], trying: null, at: '' };
}

/** When these digests were first tried, ISO 8601: a later try says the same, and adopts what was signed for it. */
export function firstTried(attested: AttestedState, digests: string): string {
  if (attested.trying !== digests) Object.assign(attested, { trying: digests, at: new Date().toISOString() });
  return attested.at;
}
