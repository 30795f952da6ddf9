/** A tag to move. */
import { z } from 'zod';
import { Digest, Repository, Tag } from '../oci/reference.ts';

export const TagMove = z.object({
  repository: Repository,
  tag: Tag,
  digest: Digest,
  /**
   * What the tag may point at now, besides `digest`: this digest, nothing (`null`), what a release of a repository
   * left, or `any`. Anything else fails with `tag-moved`.
   */
  expected: z.union([Digest, z.null(), z.literal('any'), z.object({ leftBy: Repository })]),
});
export type TagMove = z.infer<typeof TagMove>;
