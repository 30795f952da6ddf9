/** Digests of texts and values. Pure. */
import { createHash } from 'node:crypto';

/** Hexadecimal sha256 of text or bytes. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** JSON with sorted keys and no spaces, so that equal values give equal text. Leaves `undefined` members out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** The digest (`sha256:<hex>`) of a value. Equal values have equal digests. */
export function digestOf(value: unknown): string {
  return `sha256:${sha256(canonicalJson(value))}`;
}

/** The first 16 hexadecimal digits of a value's digest, of which a record keeps many. Equal values have equal ones. */
export function shortDigest(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 16);
}
