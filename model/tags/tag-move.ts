/** A tag to be moved. */
import { z } from 'zod';
import { Digest, Repository, Tag } from '../oci/reference.ts';

export const TagMove = z.object({
  repository: Repository,
  tag: Tag,
  digest: Digest,
  /** What the tag may point at now, besides `digest`: this digest, nothing (`null`), or `any`. Else `tag-moved`. */
  expected: z.union([Digest, z.null(), z.literal('any')]),
});
export type TagMove = z.infer<typeof TagMove>;
