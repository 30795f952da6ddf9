/**
 * Tells by the output of skopeo or podman why a copy, pull, push or verification failed. Both print the texts of
 * containers/image (as of 5.34) around the registry's own words (OCI distribution specification, "Error Codes"). Pure.
 */
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { FailureKind } from '../../../model/failure/failures.ts';
import { CommandError, lastLines } from '../process/command.ts';
import { anyOf } from '../any-of.ts';

/** A kind, and a remedy where the kind's own says too little. */
export interface RegistryVerdict {
  kind: FailureKind;
  remedy?: string;
}

interface Rule extends RegistryVerdict {
  pattern: RegExp;
}

/** Network faults and the registry's answers first, then what is wrong with the content. The first match counts. */
const RULES: readonly Rule[] = [
  { kind: 'disk-full', pattern: /no space left on device|disk quota exceeded/i },
  {
    kind: 'host-setup',
    pattern: /x509:|tls: failed to verify|server gave HTTP response to HTTPS client/i,
    remedy:
      "install the registry's certificate authority on the machine, or list the registry with `insecure: " +
      'true` in the worker configuration',
  },
  {
    kind: 'registry',
    pattern: anyOf(
      /connection (?:refused|reset)|closed network connection|i\/o timeout|no such host|TLS handshake|\bEOF\b/i,
      /broken pipe|context deadline exceeded|request canceled|stream error|network is unreachable/i,
      /no route to host|temporary failure|server misbehaving|too ?many ?requests/i,
      /StatusCode: (?:405|408|429|5\d\d)|\b(?:408|429|5\d\d) \(?[A-Z][a-z]/i,
    ),
  },
  {
    kind: 'registry-denied',
    pattern: /insufficient_scope|access to the resource is denied|403 \(?forbidden|StatusCode: 403/i,
  },
  {
    kind: 'registry-login',
    pattern: /unauthorized|authentication required|invalid username\/password|401 \(?unauthorized|StatusCode: 401/i,
  },
  {
    kind: 'image-not-found',
    pattern: /manifest unknown|name unknown|name not known to registry|StatusCode: 404|\b404 \(?Not Found/i,
  },
  {
    kind: 'registry',
    pattern: anyOf(
      /unexpected HTTP status|unsupported: |: unsupported\b/i,
      /blob upload (?:unknown|invalid)|manifest blob unknown|digest invalid/i,
    ),
  },
  // "permission denied" is about a file, not a registry.
  { kind: 'registry-denied', pattern: /(?<!permission )\bdenied\b/i },
  {
    kind: 'key-missing',
    pattern: /reading private key from|initializing private key: (?:invalid pem block|unsupported pem type|no key)/i,
  },
  { kind: 'key-passphrase', pattern: /initializing private key:.*(?:decrypt|passphrase)/i },
  {
    kind: 'key-missing',
    pattern: /image rejected: (?:parsing public key|open .*no such file)/i,
  },
  { kind: 'signature-rejected', pattern: /image rejected|signature was required|rejected by policy/i },
  {
    kind: 'host-setup',
    pattern: /writing sigstore attachments is disabled by configuration/i,
    remedy: 'install skopeo 1.14 or later: the one on PATH does not read --registries.d',
  },
  { kind: 'registry', pattern: /pinging container registry/i },
];

/**
 * The kind of failure in a text; `undefined` when nothing in it is known. Go writes `what: its cause`, so the last part
 * tells the cause: an image is "rejected" also when the registry did not give its signature. Ignores names, since a
 * repository may be called `denied`.
 */
export function classifyRegistry(output: string): RegistryVerdict | undefined {
  const text = output.replace(/\bdocker:\/\/[^\s"]+/g, '').replace(/\\"[^"\\]*\\"/g, '');
  const parts = text.trim().split(': ');
  for (let from = parts.length - 1; from >= 0; from--) {
    const cause = parts.slice(from).join(': ');
    const rule = RULES.find(({ pattern }) => pattern.test(cause));
    if (rule) return { kind: rule.kind, remedy: rule.remedy };
  }
  return undefined;
}

/**
 * The failure of a program that used a registry. `what` names the attempt: `signing quay.io/acme/edge@sha256:…`. A
 * timeout is `registry`, an unknown text `unexpected`. Returns other errors unchanged.
 */
export function registryError(error: unknown, what: string): unknown {
  if (!(error instanceof CommandError)) return error;
  if (error.notFound) {
    return new FlightlineError('host-setup', `${what} failed: ${error.program} is not installed`, { cause: error });
  }
  const verdict: RegistryVerdict = error.timedOut
    ? { kind: 'registry' }
    : (classifyRegistry(error.output) ?? { kind: 'unexpected' });
  const cause = error.timedOut ? `${error.program} did not end in time` : plainText(error.stderr || error.message);
  return new FlightlineError(verdict.kind, `${what} failed: ${cause}`, {
    remedy: verdict.remedy,
    cause: error,
  });
}

/**
 * The same for what goes *into* a registry, where nobody mistyped a name. For "not found", a push meets a registry that
 * has lost the upload or has no such repository, and a copy within a registry one that has lost what was pushed.
 */
export function intoRegistry(error: unknown, from: 'host' | 'registry'): unknown {
  if (!(error instanceof FlightlineError) || error.failure.kind !== 'image-not-found') return error;
  const { message } = error.failure;
  if (from === 'registry') return new FlightlineError('disk-vanished', message, { cause: error });
  const remedy = 'see that the repository exists and the registry keeps its uploads';
  return new FlightlineError('registry', message, { remedy, cause: error });
}

/** The message in the last log line (`time="…" level=fatal msg="…"`) of skopeo or podman; else the last lines. */
export function plainText(stderr: string): string {
  const message = /level=(?:fatal|error) msg="((?:[^"\\]|\\.)*)"\s*$/.exec(stderr.trim());
  return message ? message[1]!.replace(/\\(.)/g, '$1') : lastLines(stderr, 5).replace(/^Error: /, '');
}
