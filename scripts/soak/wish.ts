/** What a soak asks of a release, and whether it got it. */
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { Chance } from './random.ts';

/**
 * `approved`: it waits for a person, who approves it. `fixed`: its Containerfile is broken at first. `held`: it is
 * broken for good, and must be held at the end.
 */
export type WishKind = 'released' | 'approved' | 'cancelled' | 'fixed' | 'held';

/** What somebody says to a release at any moment, whether it waits for that or not. */
export const MEDDLING = ['retry', 'retry --spec', 'approve'] as const;

export interface Wish {
  kind: WishKind;
  disks: string[];
  /** Seconds that the builder takes at least. */
  seconds: number;
  /** Milliseconds after its start at which it is cancelled. */
  cancelAfter: number;
  /** What somebody says, and milliseconds after its start at which; null: nothing. */
  meddling: { word: (typeof MEDDLING)[number]; after: number } | null;
}

/** The next release's wish. */
export function nextWish(chance: Chance): Wish {
  return {
    kind: chance.pick([
      [10, 'released'],
      [3, 'approved'],
      [4, 'cancelled'],
      [3, 'fixed'],
      [1, 'held'],
    ]),
    disks: chance.pick<string[]>([
      [5, []],
      [6, ['qcow2']],
      [2, ['qcow2', 'vmdk']],
      [1, ['qcow2', 'iso']],
    ]),
    seconds: chance.between(4, 15),
    cancelAfter: chance.between(1_000, 30_000),
    meddling: chance.pick([
      [1, null],
      ...MEDDLING.map((word) => [1, { word, after: chance.between(1_000, 60_000) }] as const),
    ]),
  };
}

/** What is wrong with how a release ended; `undefined` when it is as asked. Pure. */
export function unlike(wish: WishKind, status: ReleaseRecord['status']): string | undefined {
  const good: Record<WishKind, readonly ReleaseRecord['status'][]> = {
    released: ['released'],
    approved: ['released'],
    fixed: ['released'],
    held: ['held'],
    // It may have ended before it was cancelled.
    cancelled: ['cancelled', 'released'],
  };
  return good[wish].includes(status) ? undefined : `it should be ${wish}, and is ${status}`;
}
