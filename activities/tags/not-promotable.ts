/** The failures of releases that cannot be promoted. */
import { FlightlineError } from '../../model/failure/failure.ts';
import type { PromotionRequest } from '../../model/tags/promotion.ts';

/** No known key signed the source's record. */
export function recordNotSigned({ source, recordRepository }: PromotionRequest): FlightlineError {
  return notPromotable(
    `no key of the worker configuration has signed a record ${recordRepository}:${source.tag} for ` +
      `${source.repository}:${source.tag}`,
    'promote a release of flightline; if its records are elsewhere, add --record-repository',
  );
}

/** What is asked for cannot be promoted, in words. */
export function notPromotable(
  message: string,
  action = 'promote another release, or release it again',
): FlightlineError {
  return new FlightlineError('invalid-input', message, { remedy: { action, then: null } });
}
