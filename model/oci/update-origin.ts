/** The tag from which installed machines take their updates: bootc's target image reference. Pure. */
import { isTemplate } from '../base/template.ts';

/** What a spec says of its image's tags, with their templates as they are written. */
interface WrittenTags {
  tag: string;
  alsoTag: readonly string[];
  tagPolicy?: 'create' | 'move' | undefined;
  updateFrom?: string | undefined;
}

/** A tag as it is written, and whether a later release of the spec, or somebody else, can move it. */
interface UpdateOrigin {
  tag: string;
  moves: boolean;
}

/**
 * The tag that machines follow: the one that the spec names, else the first of `alsoTag` that moves, else the image's
 * own.
 *
 * A template makes a tag of each release, which no other release moves. Every release moves a literal one of `alsoTag`,
 * and the image's own if the policy lets it. A tag that is none of them is a promotion's, which moves it.
 */
export function updateOrigin(image: WrittenTags): UpdateOrigin {
  const tag = image.updateFrom ?? image.alsoTag.find((other) => !isTemplate(other)) ?? image.tag;
  const isOwn = tag === image.tag && !image.alsoTag.includes(tag);
  return { tag, moves: !isTemplate(tag) && (!isOwn || image.tagPolicy === 'move') };
}
