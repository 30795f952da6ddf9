/** Which tags the operator wants approved, and the gate that waits for a person. */
import { describe, expect, test } from 'vitest';
import { needsApproval } from '../../../model/release/approval.ts';
import { askApproval, checkDecision, closedGate, takeDecision, waitsForWord } from '../../../workflows/approval.ts';

test.each([
  [[], 'quay.io/acme/camera', ['v1'], false],
  [['quay.io/acme'], 'quay.io/acme/camera', ['v1'], true],
  [['quay.io/acme'], 'quay.io/acme-labs/camera', ['v1'], false],
  [['quay.io/acme/camera:stable'], 'quay.io/acme/camera', ['v1'], false],
  [['quay.io/acme/camera:stable'], 'quay.io/acme/camera', ['v1', 'stable'], true],
  [['quay.io/acme:stable'], 'quay.io/acme/camera', ['stable'], true],
  [['quay.io/acme:v*'], 'quay.io/acme/camera', ['v1'], true],
  [['quay.io/acme:v*'], 'quay.io/acme/camera', ['nightly'], false],
  [['quay.io/acme:*-prod'], 'quay.io/acme/camera', ['v1-prod'], true],
  [['quay.io/acme:*-prod'], 'quay.io/acme/camera', ['v1-prod-2'], false],
  [['quay.io/acme:a*b*a'], 'quay.io/acme/camera', ['aba'], true],
  [['quay.io/acme:ab*ba'], 'quay.io/acme/camera', ['aba'], false],
  [['registry.example:5000'], 'registry.example:5000/camera', ['v1'], true],
  [['registry.example:5000/camera:prod'], 'registry.example:5000/camera', ['dev'], false],
])('%j covers %s:%j: %s', (listed, repository, tags, expected) => {
  expect(needsApproval(listed, [{ repository, tags }])).toBe(expected);
});

describe('the gate', () => {
  const digests = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  const ann = { by: 'ann@laptop', comment: 'tested' };
  const word = { decision: 'approve', ...ann, digests } as const;

  test('opens for what was approved, and for nothing else', () => {
    const gate = closedGate('quay.io/acme/camera:v1');
    expect(() => checkDecision(gate, word)).toThrow(/does not wait for approval/);
    expect(askApproval(gate, 'one', digests)).toMatchObject({ kind: 'approval-needed' });
    expect(waitsForWord(gate)).toBe(true);
    checkDecision(gate, word);
    takeDecision(gate, word);
    expect(askApproval(gate, 'one', digests)).toBeNull();
    expect(gate.approval).toMatchObject(ann);
    expect(() => checkDecision(gate, { ...word, decision: 'reject' })).toThrow(/does not wait/);
    expect(askApproval(gate, 'another', digests)).toMatchObject({ kind: 'approval-needed' });
    expect(gate.approval).toBeNull();
    // Whoever approved the first one did so before there was another.
    expect(askApproval(gate, 'one', digests)).toMatchObject({ kind: 'approval-needed' });
  });

  test.each([
    ['another image', [`sha256:${'c'.repeat(64)}`, digests[1]!]],
    ['fewer disks', [digests[0]!]],
    ['more disks', [...digests, `sha256:${'c'.repeat(64)}`]],
    ['nothing', []],
  ])('takes no word of somebody who looked at %s', (_, seen) => {
    const gate = closedGate('quay.io/acme/camera:v1');
    askApproval(gate, 'one', digests);
    for (const decision of ['approve', 'reject'] as const) {
      expect(() => checkDecision(gate, { ...word, decision, digests: seen })).toThrow(/is not what you looked at/);
    }
    checkDecision(gate, { ...word, digests: digests.toReversed() });
  });

  test('stays shut when it was rejected or closed', () => {
    const gate = closedGate('quay.io/acme/camera:v1');
    askApproval(gate, 'one', digests);
    takeDecision(gate, { ...word, decision: 'reject' });
    expect(waitsForWord(gate)).toBe(false);
    expect(askApproval(gate, 'one', digests)).toMatchObject({
      kind: 'rejected',
      message: 'ann@laptop rejected quay.io/acme/camera:v1: tested',
    });
    const closed = closedGate('quay.io/acme/camera:v1');
    askApproval(closed, 'one', digests);
    closed.asked = null;
    expect(() => checkDecision(closed, word)).toThrow(/does not wait/);
  });

  test('takes no word that is none', () => {
    const gate = closedGate('quay.io/acme/camera:v1');
    askApproval(gate, 'one', digests);
    expect(() => checkDecision(gate, { decision: 'maybe' } as never)).toThrow(/decision/);
  });
});
