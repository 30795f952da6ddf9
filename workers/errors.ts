/** The one error of this floor that is no failure of a release. Loads nothing, so that any floor above may import it. */

/** No Temporal server answers, or the namespace is missing. The command line ends with exit code 3. */
export class TemporalUnreachableError extends Error {
  readonly kind = 'no-temporal';
  /** gRPC's UNAVAILABLE: treated like any other call that finds no server. */
  readonly code = 14;
  /** What to do next, in one line. */
  readonly remedy: string;
  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporalUnreachableError';
    this.remedy = remedy;
  }
}
