/** The command lines of the client `flightctl`. Pure. */

/** A request to Flight Control. */
interface CertificateRequest {
  signer: string;
  /** Validity. */
  days: number;
  /** The request's name, to which the client adds a random part. */
  name: string;
  /** Directory of the client's login. */
  configDirectory: string;
  /** Private directory, made for this call, for the key and certificate files that the client also writes. */
  outputDirectory: string;
  /** Seconds for the whole command. Without it a server that never answers would hang the client for ever. */
  timeout: number;
}

/** Arguments of the client, which prints an agent configuration on standard output. */
export function requestArguments(request: CertificateRequest): string[] {
  return [
    'certificate',
    'request',
    `--signer=${request.signer}`,
    `--expiration=${request.days}d`,
    `--name=${request.name}`,
    '--output=embedded',
    `--config-dir=${request.configDirectory}`,
    `--output-dir=${request.outputDirectory}`,
    `--request-timeout=${request.timeout}`,
  ];
}

/** Arguments of the client that read what every enrollment needs: they issue nothing, and show a missing right. */
export function enrollmentConfigArguments(configDirectory: string): string[] {
  return ['enrollmentconfig', `--config-dir=${configDirectory}`];
}

/** Arguments of the client for the agent configuration of an issued certificate, given the file of its key. */
export function issuedArguments(configDirectory: string, request: string, key: string): string[] {
  return ['enrollmentconfig', request, '-p', key, `--config-dir=${configDirectory}`];
}

/** Longest name before the client adds nine characters: a name has at most 253. */
const MAX_NAME = 100;

/** The name of the request for a release's image: lower-case letters, digits, "-" and "." (RFC 1123). */
export function requestName(release: string): string {
  const words = release.slice(release.lastIndexOf('/') + 1).toLowerCase();
  const name = words.replace(/[^a-z0-9]+/g, '-').slice(0, MAX_NAME);
  return `flightline-${name}`.replace(/-+$/, '');
}

/** The name of a sent request, from a line of the client's standard error. */
export function submittedRequest(line: string): string | undefined {
  return /^Submitting certificate signing request "([a-z0-9.-]+)"\.\.\. success/.exec(line)?.[1];
}
