/** Tells tags that are likely to move. Pure. */
import { parseReference } from './reference.ts';

/**
 * `true` when the owner of a tag is likely to move it: no tag, `latest`, `stream9`, `v1`. A version of two numbers, a
 * date or a commit is taken to stay.
 */
export function isMovingTag(image: string): boolean {
  const parsed = parseReference(image);
  if (!parsed.ok || parsed.reference.digest) return false;
  const { tag } = parsed.reference;
  return tag === undefined || !/\d+\.\d+|\d{8}|(?:^|[-.])(?=[a-f]*\d)[0-9a-f]{7,40}$/.test(tag);
}
