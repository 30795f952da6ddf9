/**
 * The Flight Control agent's configuration with an enrollment, as `flightctl certificate request --output=embedded` prints it.
 * Checked as far as a device could not enroll without it; what else it holds is the agent's business. Errors quote nothing of it.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isMap, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';

/** Where the agent reads it. Enrollment in a drop-in below conf.d is silently ignored by the agent. */
export const AGENT_CONFIG = '/etc/flightctl/config.yaml';

/** What is known of a configuration that is in order, or all that is wrong with it, each in a line. */
export type AgentConfigCheck = { ok: true; server: string; notAfter: Date } | { ok: false; problems: string[] };

/** The agent's schema (flightctl `internal/agent/config`, 1.2 and 1.3) as far as enrollment goes. The agent ignores unknown keys. */
const AgentConfig = z.looseObject({
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

/** Checks the text of a configuration. `now` in milliseconds since 1970. Pure. */
export function checkAgentConfig(text: string, now: number): AgentConfigCheck {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    // The parser's own words quote the file.
    const at = document.errors.map((error) => `line ${lines.linePos(error.pos[0]).line}: is not YAML (${error.code})`);
    return { ok: false, problems: at };
  }
  if (!isMap(document.contents)) return { ok: false, problems: ['it holds no map of keys'] };
  const parsed = AgentConfig.safeParse(document.toJS());
  if (!parsed.success) {
    return {
      ok: false,
      problems: parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`),
    };
  }
  const { authentication, service } = parsed.data['enrollment-service'];
  const problems: string[] = [];
  const named = (name: string) => `enrollment-service.authentication.${name}`;
  const pem = (name: 'client-certificate-data' | 'client-key-data'): string | undefined => {
    const data = authentication[name];
    if (data === undefined) {
      // `--output=reference` names files that stay on the machine that asked.
      problems.push(`${named(name)} is missing: request the configuration with --output=embedded`);
      return undefined;
    }
    const decoded = Buffer.from(data, 'base64').toString('utf8');
    if (decoded.includes('-----BEGIN ')) return decoded;
    problems.push(`${named(name)} is not PEM in base64`);
    return undefined;
  };
  const certificate = read(pem('client-certificate-data'), (data) => new X509Certificate(data));
  const key = read(pem('client-key-data'), (data) => createPrivateKey(data));
  if (certificate === null) problems.push(`${named('client-certificate-data')} is no certificate`);
  if (key === null) problems.push(`${named('client-key-data')} is no private key`);
  if (certificate && key && !certificate.checkPrivateKey(key)) {
    problems.push('certificate and private key do not belong together');
  }
  const notAfter = certificate ? new Date(certificate.validTo) : undefined;
  if (notAfter && notAfter.getTime() <= now) {
    problems.push(`its certificate ended at ${notAfter.toISOString()}: request another`);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, server: service.server, notAfter: notAfter! };
}

/** What a reader makes of a text: undefined without a text, null when it cannot be read. */
function read<Value>(text: string | undefined, reader: (text: string) => Value): Value | null | undefined {
  if (text === undefined) return undefined;
  try {
    return reader(text);
  } catch {
    return null;
  }
}
