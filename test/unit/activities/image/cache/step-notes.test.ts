import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StepNotes } from '../../../../../activities/image/cache/step-notes.ts';

const INPUT = {
  buildArgs: { V: '1' },
  buildContexts: { files: '../files', tools: 'docker-image://quay.io/acme/tools:1' },
  context: { repository: 'quay.io/acme/context', digest: 'sha256:1' },
};
const HOST = {
  volumes: ['/etc/pki:/run/secrets:ro'],
  images: ['quay.io/acme/tools@sha256:3'],
  containerfile: '/c/Containerfile',
  text: 'FROM a',
};
const STEP = { instruction: 'RUN true', id: '0123456789ab', firstImage: 'a', origins: ['b', 'c'], isExpanded: false };
const OTHER_CONTEXT = { context: { ...INPUT.context, digest: 'sha256:2' } };

let directory: string;
beforeEach(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'flightline-notes-')), 'caches');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(dirname(directory), { recursive: true, force: true });
});

const notes = (input: object = {}, host: object = {}) =>
  new StepNotes(directory, { ...INPUT, ...input }, { ...HOST, ...host });

it('a step is known made from the same under the same circumstances only', async () => {
  expect(await notes().knows(STEP)).toBe(false);
  notes().note(STEP);
  notes().note({ ...STEP, id: 'another' });
  expect(await notes().knows(STEP)).toBe(true);
  expect(await notes().knows({ ...STEP, origins: ['b'] })).toBe(false);
  expect(await notes().knows({ ...STEP, id: '0123456789' })).toBe(false);
  expect(await notes({}, { volumes: [] }).knows(STEP)).toBe(false);
  expect(await notes({}, { images: [] }).knows(STEP)).toBe(false);
  expect(await notes({ buildContexts: {} }).knows(STEP)).toBe(false);
  expect(await notes({ annotations: { a: 'b' } }).knows(STEP)).toBe(false);
  expect(await notes({ buildArgs: { https_proxy: 'http://proxy' } }).knows(STEP)).toBe(false);
  expect(await notes({ buildArgs: { V: '2' }, ...OTHER_CONTEXT }, { text: 'FROM b' }).knows(STEP)).toBe(true);
  vi.stubEnv('http_proxy', 'http://of-the-host');
  expect(await notes().knows(STEP)).toBe(false);
});

it('a step that expands arguments is known with the same values and defaults', async () => {
  const step = { ...STEP, isExpanded: true };
  notes().note(step);
  expect(await notes().knows(step)).toBe(true);
  expect(await notes({ buildArgs: { V: '2' } }).knows(step)).toBe(false);
  expect(await notes({}, { text: 'ARG V=3\nFROM a' }).knows(step)).toBe(false);
});

it.each([
  ['RUN <<END (echo 1)', false],
  ['RUN mkdir /t && <<END cat', false],
  ['RUN echo', true],
  ['COPY <<END /x', true],
])('%s is known of another Containerfile: %s', async (instruction, known) => {
  const step = { ...STEP, instruction };
  notes().note(step);
  expect(await notes().knows(step)).toBe(true);
  expect(await notes({}, { text: 'FROM b' }).knows(step)).toBe(known);
  expect(await notes(OTHER_CONTEXT, { containerfile: '/c/Containerfile.in' }).knows(step)).toBe(known);
});

it.each([
  ['RUN --mount=type=bind,target=/m true', false],
  ['RUN --network=none --mount=target=/m,from="files" true', false],
  ['RUN --mount=type=cache,target=/m true', true],
  ['RUN --mount=type=bind,from=stage,target=/m true', true],
  ['COPY a /b', true],
])('%s is known with another context: %s', async (instruction, known) => {
  const step = { ...STEP, instruction };
  notes().note(step);
  expect(await notes().knows(step)).toBe(true);
  expect(await notes(OTHER_CONTEXT).knows(step)).toBe(known);
});
