/**
 * The command line of `flightctl certificate request`. Pure;
 * activities/image/secrets/enrolled-configuration.ts runs it.
 */

/** What is asked of Flight Control. */
interface CertificateRequest {
  signer: string;
  /** Validity. */
  days: number;
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
    '--output=embedded',
    `--config-dir=${request.configDirectory}`,
    `--output-dir=${request.outputDirectory}`,
    `--request-timeout=${request.timeout}`,
  ];
}
