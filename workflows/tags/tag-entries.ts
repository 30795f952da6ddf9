/** What a shared tag's workflow decides: what "before" means, and how much it remembers. Pure. */
import { jsonBytes } from '../../model/failure/failure.ts';
import type { TagEntry } from '../../model/tags/shared-tag.ts';

/** Bytes of the entries that are kept: they are a payload of their own, of at most 10 kB. */
const MAX_BYTES = 8_000;

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
