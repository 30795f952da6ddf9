/** Disks whose machines follow a tag that stays. */
import { updateOrigin } from '../../../model/oci/update-origin.ts';
import type { Rule } from '../rule.ts';

const rule: Rule = {
  id: 'update-origin',
  reason: 'a machine finds updates only under the tag that its disk names, unless an agent or a person switches it',
  spec({ spec: { disks, image }, lineOf }) {
    const { tag, moves } = updateOrigin(image);
    if (moves || disks.length === 0) return [];
    const key = image.updateFrom === undefined ? 'image.tag' : 'image.updateFrom';
    const message =
      `machines installed from the disks follow ${image.repository}:${tag}, which no later release moves; ` +
      'name a tag that moves in image.alsoTag, or in image.updateFrom';
    return [{ line: lineOf(key), message }];
  },
};
export default rule;
