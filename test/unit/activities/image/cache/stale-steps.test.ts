import { expect, it } from 'vitest';
import { hasStaleStep } from '../../../../../activities/image/cache/stale-steps.ts';

const ID = '0123456789ab';
const UNPACKED = { context: '/none/context', containerfile: '', builderConfig: null, contextNamed: () => '' };
const notes = (known: boolean) => ({ knows: () => Promise.resolve(known) });

const CACHED = { cached: [{ instruction: 'RUN true', id: ID, firstImage: '', origins: [], isExpanded: false }] };

it.each([
  ['of another build, made as this one would make it', [], true, false],
  ['of another build, made otherwise', [], false, true],
  ['that this build made itself', [ID], false, false],
])('a step %s', async (_, own, known, stale) => {
  expect(await hasStaleStep(CACHED, new Set(own), notes(known), UNPACKED, {})).toBe(stale);
});
