/** Until when the credentials hold by which a worker asks Temporal for work: without them it is as good as dead. */
import { X509Certificate } from 'node:crypto';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { z } from 'zod';

/** By the label `what` of `flightline_credentials_ending`. */
export type CredentialEnds = Record<'temporal-certificate' | 'temporal-key', Date | null>;

/** RFC 7519, 4.1.4: seconds since 1970. */
const Claims = z.object({ exp: z.number().int().nonnegative() });

/** Null for what there is not, and for what does not say when it ends. Both were read when the worker started. */
export function credentialEnds({ tls, apiKey }: NativeConnectionOptions): CredentialEnds {
  const certificate = typeof tls === 'object' ? tls?.clientCertPair?.crt : undefined;
  return {
    'temporal-certificate': certificate ? endOfCertificate(certificate) : null,
    'temporal-key': typeof apiKey === 'string' ? endOfToken(apiKey) : null,
  };
}

function endOfCertificate(pem: Uint8Array): Date | null {
  try {
    return new Date(new X509Certificate(pem).validTo);
  } catch {
    // The connection has taken it: a form that only rustls knows.
    return null;
  }
}

/** A key of Temporal Cloud is a JSON Web Token; others may be anything. */
function endOfToken(token: string): Date | null {
  try {
    const claims = Claims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()));
    return new Date(claims.exp * 1_000);
  } catch {
    return null;
  }
}
