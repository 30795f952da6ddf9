/** Which tags the operator wants approved, and the gate that waits for a person. */
import { describe, expect, test } from 'vitest';
import { needsApproval } from '../../../model/release/approval.ts';
import { ApprovalGate } from '../../../workflows/approval.ts';

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
  expect(needsApproval(listed, { repository, tags })).toBe(expected);
});

describe('the gate', () => {
  const ann = { by: 'ann@laptop', comment: 'tested' };
  test('opens for what was approved, and for nothing else', () => {
    const gate = new ApprovalGate('quay.io/acme/camera:v1');
    expect(() => gate.check({ decision: 'approve', ...ann })).toThrow(/does not wait for approval/);
    expect(gate.ask('one')).toMatchObject({ kind: 'approval-needed' });
    expect(gate.waits).toBe(true);
    gate.check({ decision: 'approve', ...ann });
    gate.decide({ decision: 'approve', ...ann });
    expect(gate.ask('one')).toBeNull();
    expect(gate.approval).toMatchObject(ann);
    expect(() => gate.check({ decision: 'reject', ...ann })).toThrow(/does not wait/);
    expect(gate.ask('another')).toMatchObject({ kind: 'approval-needed' });
    expect(gate.approval).toBeNull();
  });

  test('stays shut when it was rejected or closed', () => {
    const gate = new ApprovalGate('quay.io/acme/camera:v1');
    gate.ask('one');
    gate.decide({ decision: 'reject', ...ann });
    expect(gate.waits).toBe(false);
    expect(gate.ask('one')).toMatchObject({
      kind: 'rejected',
      message: 'ann@laptop rejected quay.io/acme/camera:v1: tested',
    });
    const closed = new ApprovalGate('quay.io/acme/camera:v1');
    closed.ask('one');
    closed.close();
    expect(() => closed.check({ decision: 'approve', ...ann })).toThrow(/does not wait/);
  });

  test('takes no word that is none', () => {
    const gate = new ApprovalGate('quay.io/acme/camera:v1');
    gate.ask('one');
    expect(() => gate.check({ decision: 'maybe' } as never)).toThrow(/decision/);
  });
});
