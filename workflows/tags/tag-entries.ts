/** What a shared tag's workflow decides: whether it may move, what "before" means, and how much it remembers. Pure. */
import { jsonBytes } from '../../model/failure/failure.ts';
import type { MoveInput, TagEntry } from '../../model/tags/shared-tag.ts';

/** Bytes of the entries that are kept: they are a payload of their own, of at most 10 kB. */
const MAX_BYTES = 8_000;

/**
 * Why a tag may not be moved, in words; null when it may. It goes to what was made later, never back; and a release
 * that had begun when a person rolled the tag back does not undo that.
 */
export function refusalOfMove(
  entries: readonly TagEntry[],
  move: Pick<MoveInput, 'kind' | 'made' | 'allowOlder'> & { digest: string },
): string | null {
  const now = entries.at(-1);
  if (!now || move.allowOlder || move.made === null || now.digest === move.digest) return null;
  const whose = now.release ? `of ${now.release.replace(/^release\//, '')}, which began` : 'made';
  if (now.made !== null && move.made < now.made) {
    return `it points at ${now.digest} ${whose} later, at ${now.made}`;
  }
  if (now.kind === 'rollback' && move.kind === 'release' && move.made < now.at) {
    return `${now.by ?? 'somebody'} rolled it back at ${now.at}, after this release had begun`;
  }
  return null;
}

/**
 * What the tag pointed at before its present image; `undefined` when that is not known. Rollbacks are looked through:
 * a second one goes further back, and not forward again.
 */
export function entryBefore(entries: readonly TagEntry[]): TagEntry | undefined {
  const now = entries.at(-1);
  const moves = entries.filter(({ kind }) => kind !== 'rollback');
  const at = moves.findLastIndex(({ digest }) => digest === now?.digest);
  return moves.slice(0, Math.max(at, 0)).findLast(({ digest }) => digest !== now?.digest);
}

/** The newest entries, as many as fit. */
export function keptEntries(entries: readonly TagEntry[]): TagEntry[] {
  let kept = [...entries];
  while (kept.length > 1 && jsonBytes(kept) > MAX_BYTES) kept = kept.slice(1);
  return kept;
}
