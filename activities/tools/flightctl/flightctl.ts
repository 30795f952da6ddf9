/** The command lines of the client `flightctl`. Pure. */

/** What is asked of Flight Control. */
interface CertificateRequest {
  signer: string;
  /** Validity. */
  days: number;
  /** What the request is called; the client adds a random part. */
  name: string;
  /** Directory of the client's login. */
  configDirectory: string;
  /** Directory for the key and certificate files that the client writes besides: private, and made for this call. */
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

/** Arguments of the client for what every enrollment needs. It issues nothing, and tells when a right is missing. */
export function enrollmentConfigArguments(configDirectory: string): string[] {
  return ['enrollmentconfig', `--config-dir=${configDirectory}`];
}

/** The same for the agent configuration of a certificate that was issued, given the file of its key. */
export function issuedArguments(configDirectory: string, request: string, key: string): string[] {
  return ['enrollmentconfig', request, '-p', key, `--config-dir=${configDirectory}`];
}

/** Longest part that says whose request it is: the client adds nine characters, and a name has at most 253. */
const MAX_NAME = 100;

/** What the request for the image of a release is called: lower-case letters, digits, "-" and "." (RFC 1123). */
export function requestName(release: string): string {
  const words = release.slice(release.lastIndexOf('/') + 1).toLowerCase();
  const name = words.replace(/[^a-z0-9]+/g, '-').slice(0, MAX_NAME);
  return `flightline-${name}`.replace(/-+$/, '');
}

/** The name of a request that the client has sent, by a line of its standard error. */
export function submittedRequest(line: string): string | undefined {
  return /^Submitting certificate signing request "([a-z0-9.-]+)"\.\.\. success/.exec(line)?.[1];
}
