/** Stages on images whose tags move. */
import { isMovingTag } from '../../../model/oci/moving-tag.ts';
import type { Rule } from '../rule.ts';

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
