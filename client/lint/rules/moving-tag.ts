/** Stages on images whose tags move. */
import { parseReference } from '../../../model/oci/reference.ts';
import type { Rule } from '../rule.ts';

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

const rule: Rule = {
  id: 'moving-tag',
  reason: 'what was tested and what devices get must be the same; each release pins a digest, but the next one another',
  containerfile: ({ containerfile }) =>
    containerfile.stages.flatMap(({ image, line }) =>
      image !== null && isMovingTag(image)
        ? [{ line, message: `${image} is not the same image tomorrow; name a version or a digest` }]
        : [],
    ),
};
export default rule;
