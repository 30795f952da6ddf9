/** Differences in words, short enough for a payload or a record. Pure. */
import type { Difference } from './change.ts';

/** Longest reason (characters): room for several digests, and small in a payload. */
const MAX_REASON = 600;

/** Longest reason in a record (characters), where six disks leave little room. */
const MAX_RECORDED_REASON = 200;

/** Reasons as one line, each once. */
export function reasonOf(differences: readonly Pick<Difference, 'reason'>[]): string {
  return cut([...new Set(differences.map(({ reason }) => reason))].join('; '), MAX_REASON);
}

/** A reason, shortened for a record. */
export function recordedReason(reason: string): string {
  return cut(reason, MAX_RECORDED_REASON);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
