/**
 * The error of this floor that is not a failure of a release. Imports nothing, so that every floor above can use it
 * cheaply.
 */

/** No Temporal server answers, or the namespace is missing. The command line ends with exit code 3. */
export class TemporalUnreachableError extends Error {
  readonly kind = 'no-temporal';
  /** gRPC's UNAVAILABLE, so that it is treated like any other call without a server. */
  readonly code = 14;
  /** What to do next, in one line. */
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporalUnreachableError';
    this.remedy = remedy;
  }
}
