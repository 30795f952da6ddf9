/**
 * The Flight Control agent configuration with an enrollment, as `flightctl certificate request --output=embedded`
 * prints it. Checks only what a device needs to enroll. Messages quote nothing of it. Pure.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { readYaml } from '../../../model/spec/yaml-text.ts';

/** An agent configuration that a device can enroll with. */
export interface AgentConfiguration {
  /** The file's text: a secret. */
  text: string;
  /** When devices can no longer enroll with it: the end of its certificate or of the certificate's authority. */
  ends: Date;
  /** The parts that must not appear in any output. */
  secrets: string[];
}

/** The answer of {@link readAgentConfiguration}: the configuration, or its problems, a line each. */
type AgentConfigurationResult = { ok: true; configuration: AgentConfiguration } | { ok: false; problems: string[] };

/**
 * The part of the agent's schema for enrollment (flightctl `internal/agent/config`, 1.2 and 1.3). The agent ignores
 * unknown keys.
 */
const AgentFile = z.looseObject({
  'enrollment-service': z.looseObject(
    {
      authentication: z.looseObject(
        { 'client-certificate-data': z.string().optional(), 'client-key-data': z.string().optional() },
        'is not a map',
      ),
      service: z.looseObject(
        {
          server: z.url({ protocol: /^https$/, error: 'is not an https URL' }),
          'certificate-authority-data': z.string('is not a text').optional(),
        },
        'is not a map',
      ),
    },
    'is missing: a device enrolls by it',
  ),
});
type Authentication = z.infer<typeof AgentFile>['enrollment-service']['authentication'];

/** How much the clocks of two machines may differ (ms). */
const CLOCK_SKEW = 10 * 60_000;
const DAY = 24 * 60 * 60_000;

/**
 * Reads and checks an agent configuration. The client also ends with exit code 0 on answers that no device can use,
 * such as an empty one, or a certificate without any validity.
 *
 * @param days the requested validity; null when unknown, as for a person's own file
 */
export function readAgentConfiguration(text: string, days: number | null, now: Date): AgentConfigurationResult {
  if (text.trim() === '') return { ok: false, problems: ['it is empty'] };
  const file = readYaml(text);
  // The parser's message quotes the file.
  if (!file.ok) return { ok: false, problems: file.problems.map(({ line }) => `line ${line}: is not YAML`) };
  const { value } = file.yaml;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, problems: ['it holds no map of keys'] };
  }
  const parsed = AgentFile.safeParse(value);
  if (!parsed.success) {
    return { ok: false, problems: parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`) };
  }
  const { authentication, service } = parsed.data['enrollment-service'];
  const result = readAuthentication(text, authentication, days, now);
  const last = endOfAuthorities(service['certificate-authority-data']);
  if (!result.ok || last === null || last >= result.configuration.ends) return result;
  if (last <= now) return { ok: false, problems: [`its certificate authority ended on ${last.toISOString()}`] };
  return { ok: true, configuration: { ...result.configuration, ends: last } };
}

function readAuthentication(
  text: string,
  authentication: Authentication,
  days: number | null,
  now: Date,
): AgentConfigurationResult {
  const problems: string[] = [];
  const certificateText = pem(authentication, 'client-certificate-data', problems);
  const keyText = pem(authentication, 'client-key-data', problems);
  const certificate = certificateText === null ? null : read(certificateText, (data) => new X509Certificate(data));
  const key = keyText === null ? null : read(keyText, (data) => createPrivateKey(data));
  if (certificateText !== null && certificate === null) {
    problems.push(`${named('client-certificate-data')} is not a certificate`);
  }
  if (keyText !== null && key === null) problems.push(`${named('client-key-data')} is not a private key`);
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    problems.push('its private key is not that of its certificate');
  }
  if (certificate) problems.push(...validityProblems(certificate, days, now));
  if (!certificate || keyText === null || problems.length > 0) return { ok: false, problems };
  const lines = [authentication['client-key-data']!, ...keyText.split('\n').filter((line) => !line.startsWith('-'))];
  const secrets = lines.filter((line) => line.trim() !== '');
  return { ok: true, configuration: { text, ends: new Date(certificate.validTo), secrets } };
}

/** The earliest end in a bundle of certificates in base64; null when none can be read. */
function endOfAuthorities(data: string | undefined): Date | null {
  const bundle = Buffer.from(data ?? '', 'base64').toString('utf8');
  const certificates = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const ends = certificates.flatMap((one) => {
    const certificate = read(one, (text) => new X509Certificate(text));
    return certificate ? [new Date(certificate.validTo).getTime()] : [];
  });
  return ends.length === 0 ? null : new Date(Math.min(...ends));
}

function named(name: string): string {
  return `enrollment-service.authentication.${name}`;
}

/** The embedded PEM; null, with a problem, when it is not PEM. */
function pem(
  authentication: Authentication,
  name: 'client-certificate-data' | 'client-key-data',
  problems: string[],
): string | null {
  const data = authentication[name];
  if (data === undefined) {
    // `--output=reference` names files that stay on the requesting machine.
    problems.push(`${named(name)} is missing: request the configuration with --output=embedded`);
    return null;
  }
  const decoded = Buffer.from(data, 'base64').toString('utf8');
  if (decoded.includes('-----BEGIN ')) return decoded;
  problems.push(`${named(name)} is not PEM in base64`);
  return null;
}

function validityProblems(certificate: X509Certificate, days: number | null, now: Date): string[] {
  const begins = new Date(certificate.validFrom);
  const ends = new Date(certificate.validTo);
  if (!(ends > now)) return [`its certificate ended on ${ends.toISOString()}: request another`];
  if (begins.getTime() > now.getTime() + CLOCK_SKEW) {
    return [`its certificate is not valid before ${begins.toISOString()}`];
  }
  if (days !== null && ends.getTime() > now.getTime() + days * DAY + CLOCK_SKEW) {
    return [`its certificate ends on ${ends.toISOString()}, and ${days} days were asked for`];
  }
  return [];
}

/** What a reader makes of a text; null when it cannot be read. */
function read<Value>(text: string, reader: (text: string) => Value): Value | null {
  try {
    return reader(text);
  } catch {
    return null;
  }
}
