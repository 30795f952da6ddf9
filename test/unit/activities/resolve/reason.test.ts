import { expect, test } from 'vitest';
import { reasonOf, recordedReason } from '../../../../activities/resolve/reason.ts';

test('a long reason is cut', () => {
  const reasons = Array.from({ length: 40 }, (_, index) => ({ reason: `base image-${index} sha256:a → sha256:b` }));
  const reason = reasonOf([...reasons, ...reasons]);
  expect(reason).toHaveLength(600);
  expect(reason.endsWith('…')).toBe(true);
  expect(recordedReason(reason)).toHaveLength(200);
  expect(recordedReason('commit a → b')).toBe('commit a → b');
});
