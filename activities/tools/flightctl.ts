/** `flightctl certificate request`: its command line, and what makes its answer usable. Pure; the client is run by activities/enrollment.ts. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { parse } from 'yaml';
import { z } from 'zod';

/** What is asked of Flight Control. */
export interface CertificateRequest {
  signer: string;
  /** Validity. */
  days: number;
  /** Directory of the client's log-in. */
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

/** An agent configuration that a device can enroll with. */
export interface AgentConfiguration {
  /** The file as it is: a secret. */
  text: string;
  /** When its certificate ends. */
  ends: Date;
  /** The parts of it that must appear in no output. */
  secrets: string[];
}

/** The answer of {@link readAgentConfiguration}: the problem quotes nothing of the text. */
export type AgentConfigurationResult = { ok: true; configuration: AgentConfiguration } | { ok: false; problem: string };

const Embedded = z.string().min(1);
/** The part of an agent's config.yaml by which it enrolls, with everything inside it (`--output=embedded`). */
const AgentFile = z.looseObject({
  'enrollment-service': z.looseObject({
    authentication: z.looseObject({ 'client-certificate-data': Embedded, 'client-key-data': Embedded }),
    service: z.looseObject({ server: z.url() }),
  }),
});

/** Clocks of two machines may differ by so much (ms). */
const CLOCK_SKEW = 10 * 60_000;
const DAY = 24 * 60 * 60_000;

/**
 * Reads an agent configuration and checks it: the client ends with exit code 0 on several answers that no device can use, such as
 * an empty one, or a certificate that is valid for no time at all.
 *
 * @param days validity that was asked for; null when nobody asked, as for a file of the operator's.
 */
export function readAgentConfiguration(text: string, days: number | null, now: Date): AgentConfigurationResult {
  const bad = (problem: string): AgentConfigurationResult => ({ ok: false, problem });
  if (text.trim() === '') return bad('it is empty');
  let value: unknown;
  try {
    value = parse(text);
  } catch {
    // The parser's message would quote the line.
    return bad('it is no YAML');
  }
  const parsed = AgentFile.safeParse(value);
  if (!parsed.success) {
    const paths = parsed.error.issues.map((issue) => issue.path.join('.') || 'its top level');
    return bad(`it is no agent configuration with an embedded certificate: see ${[...new Set(paths)].join(', ')}`);
  }
  const { authentication } = parsed.data['enrollment-service'];
  const keyText = Buffer.from(authentication['client-key-data'], 'base64').toString();
  let certificate: X509Certificate;
  let matches: boolean;
  try {
    certificate = new X509Certificate(Buffer.from(authentication['client-certificate-data'], 'base64'));
    matches = certificate.checkPrivateKey(createPrivateKey(keyText));
  } catch {
    return bad('its certificate or key cannot be read');
  }
  if (!matches) return bad('its private key is not that of its certificate');
  const begins = new Date(certificate.validFrom);
  const ends = new Date(certificate.validTo);
  if (!(ends > now)) return bad(`its certificate ended on ${ends.toISOString()}`);
  if (begins.getTime() > now.getTime() + CLOCK_SKEW) {
    return bad(`its certificate is not valid before ${begins.toISOString()}`);
  }
  if (days !== null && ends.getTime() > now.getTime() + days * DAY + CLOCK_SKEW) {
    return bad(`its certificate ends on ${ends.toISOString()}, and ${days} days were asked for`);
  }
  const secrets = [authentication['client-key-data'], ...keyText.split('\n').filter((line) => !line.startsWith('-'))];
  return { ok: true, configuration: { text, ends, secrets: secrets.filter((line) => line.trim() !== '') } };
}
