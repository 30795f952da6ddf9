/** Tags that do not name the same image tomorrow. Pure. */
import { parseReference } from './reference.ts';

/**
 * Whether a tag is one that its owner moves: none at all, `latest`, `stream9`, `v1`. One with a version of two numbers,
 * a date or a commit is taken to stay.
 */
export function isMovingTag(image: string): boolean {
  const parsed = parseReference(image);
  if (!parsed.ok || parsed.reference.digest) return false;
  const { tag } = parsed.reference;
  return tag === undefined || !/\d+\.\d+|\d{8}|(?:^|[-.])(?=[a-f]*\d)[0-9a-f]{7,40}$/.test(tag);
}
