import { expect, it } from 'vitest';
import { hasStaleStep } from '../../../../../activities/image/cache/stale-steps.ts';

const ID = '0123456789ab';
const UNPACKED = { context: '/none/context', containerfile: '', builderConfig: null, contextNamed: () => '' };
const notes = (known: boolean) => ({ knows: () => Promise.resolve(known) });
const OPTIONS = { buildContexts: { files: '../files', tools: 'docker-image://quay.io/acme/tools:1' } };

it.each([
  ['ENV A=$V', true, true],
  ['COPY --from=${V} /a /b', true, true],
  ['ENV A=$V', false, false],
  ['RUN echo $V', true, false],
  ['RUN --mount=type=bind,from=stage,target=/m true', false, true],
  ['RUN --network=none --mount=type=cache,target=/c --mount=from="stage" true', false, true],
  ['RUN --mount=type=bind,target=/m,from=tools true', false, true],
  ['RUN --mount=type=bind,from=files,target=/m true', false, false],
  ['RUN --mount=type=bind,source=from=x,target=/m true', false, false],
  ['RUN echo --mount=none from=stage', false, false],
  ['COPY <<END /x', false, false],
])('%s from the cache, with build arguments: %s, is stale: %s', async (instruction, hasArguments, stale) => {
  const output = { cached: [{ instruction, id: ID, images: [] }], hasArguments };
  expect(await hasStaleStep(output, new Set(), notes(true), UNPACKED, OPTIONS)).toBe(stale);
  expect(await hasStaleStep(output, new Set([ID]), notes(false), UNPACKED, OPTIONS), 'made by the same build').toBe(
    false,
  );
});

it('a step that was made under other circumstances is stale', async () => {
  const output = {
    cached: [{ instruction: 'RUN true', id: ID, images: [] }],
    hasArguments: false,
  };
  expect(await hasStaleStep(output, new Set(), notes(false), UNPACKED, OPTIONS)).toBe(true);
});
