import { expect, test } from 'vitest';
import { waitingText } from '../../../../../client/temporal/release/waiting.ts';
import { clockInWords } from '../../../../../model/base/words.ts';
import { claimQueue, CONTROL_QUEUE, hostQueue, SIGN_QUEUE } from '../../../../../model/contract/queue.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const clock = (at: string) => clockInWords(new Date(at));
const seen = (...times: (string | null)[]) => times.map((lastSeen) => ({ identity: 'x', lastSeen }));

test.each([
  [SIGN_QUEUE, seen(), 'waiting: no sign worker asks for work'],
  [
    SIGN_QUEUE,
    seen('2026-01-01T11:57:10Z', '2026-01-01T11:56:10Z'),
    `waiting: no sign worker has asked for work since ${clock('2026-01-01T11:57:10Z')}`,
  ],
  [
    SIGN_QUEUE,
    seen('2026-01-01T11:57:10Z', '2026-01-01T11:59:10Z'),
    `waiting for a sign worker that is free, since ${clock('2026-01-01T11:58:00Z')}`,
  ],
  [CONTROL_QUEUE, seen(), 'waiting: no control worker asks for work'],
  [claimQueue('arm64'), seen(), 'waiting: no build host for arm64 asks for work'],
  [hostQueue('rack-2-build', 'transfer'), seen(), 'waiting: no build worker of rack-2-build asks for work'],
])('of %s', (queue, asking, text) => {
  expect(waitingText({ queue, since: Date.parse('2026-01-01T11:58:00Z'), paused: false }, asking, NOW)).toBe(text);
});

test('an activity that a person paused says so', () => {
  expect(waitingText({ queue: SIGN_QUEUE, since: NOW, paused: true }, seen(), NOW)).toContain('paused in Temporal');
});
