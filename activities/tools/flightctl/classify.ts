/**
 * Tells why `flightctl certificate request` failed by its standard error, since the exit code is always 1. Texts of
 * flightctl 1.2 and 1.3. Pure.
 */
import type { FailureKind } from '../../../model/failure/failures.ts';

/** A kind, and a remedy where the kind's own says too little. */
interface FlightctlVerdict {
  kind: FailureKind;
  remedy?: string;
}

const LOGIN_SERVER = "log in to Flight Control's API (`flightctl login --config-dir DIR https://api.…`)";

/** A server that does not answer now. */
const AWAY = [
  /connection (?:refused|reset)|no such host|network is unreachable|no route to host|i\/o timeout|server misbehaving/,
  /context deadline exceeded|Client\.Timeout|TLS handshake timeout|unexpected EOF|: EOF/,
  /\b(?:429|5\d\d) [A-Z][a-z]+|server returned (?:429|5\d\d)/,
]
  .map(({ source }) => source)
  .join('|');

/** The first matching row counts. */
const ROWS: readonly (FlightctlVerdict & { text: RegExp })[] = [
  // The client then sends its old token, and is refused although the login itself is in order.
  { text: new RegExp(`(?:renew|refresh)(?:ing)? token: .*(?:${AWAY})`), kind: 'enrollment-service' },
  {
    text: /getting enrollment config: server returned 403/,
    kind: 'enrollment-denied',
    remedy:
      'the account may request certificates and not read the enrollment configuration, as with the role ' +
      'flightctl-installer: give it flightctl-org-admin, or a role of your own with both',
  },
  { text: /\b403 Forbidden|server returned 403/, kind: 'enrollment-denied' },
  { text: /you must log in|session has expired|\b401 Unauthorized|server returned 401/i, kind: 'enrollment-login' },
  {
    text: /failed to get auth token|config directory ".*" does not exist|context '.*' does not exist/,
    kind: 'enrollment-login',
  },
  { text: /creating client: |no server found|reading client config/i, kind: 'enrollment-login' },
  {
    text: /x509: |tls: failed to verify|certificate signed by unknown authority/,
    kind: 'enrollment-login',
    remedy: "the host does not trust Flight Control's certificate: log in with `--certificate-authority FILE`",
  },
  { text: /\b404 Not Found|server returned 404/, kind: 'enrollment-login', remedy: LOGIN_SERVER },
  {
    text: /unknown flag|unknown command/,
    kind: 'host-setup',
    remedy: 'install flightctl 0.9 or later on the build host',
  },
  { text: new RegExp(`${AWAY}|timeout polling for certificate`), kind: 'enrollment-service' },
];

/** The kind of a failure. `enrollment` when nothing is known about it. */
export function classifyFlightctl(stderr: string): FlightctlVerdict {
  const row = ROWS.find(({ text }) => text.test(stderr));
  if (!row) return { kind: 'enrollment' };
  return row.remedy === undefined ? { kind: row.kind } : { kind: row.kind, remedy: row.remedy };
}

/**
 * The client's error, from the last `Error: ` on, which may be within a line.
 */
export function flightctlMessage(stderr: string): string {
  const at = stderr.indexOf('Error: ');
  return (at < 0 ? stderr : stderr.slice(at + 'Error: '.length)).trim();
}
