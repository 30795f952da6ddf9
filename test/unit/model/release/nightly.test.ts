/** What a schedule carries, and how a run fills it in. */
import { describe, expect, it, test } from 'vitest';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import {
  expandNightly,
  makeTemplate,
  NightlyInput,
  repositoryOfSchedule,
  scheduleId,
} from '../../../../model/release/nightly.ts';
import type { RequestFacts } from '../../../../model/spec/make-request.ts';
import { parseDuration } from '../../../../model/base/duration.ts';
import { Cron, formatAge, MaxAge, TimeZone } from '../../../../model/spec/schedule.ts';
import { DIGEST } from '../../client/view/record.ts';

const COMMIT = 'a1b2c3d4e5f6'.padEnd(40, '0');
const REPOSITORY = 'quay.io/acme/edge-camera';
const GIT = { git: 'https://git.example.com/acme/edge.git', ref: 'main' };

function specWith(image: object, more: object = {}): FlightlineSpec {
  return FlightlineSpec.parse({
    name: 'edge',
    image: { repository: REPOSITORY, ...image },
    signing: { key: 'release' },
    ...more,
  });
}

const directory: RequestFacts = {
  context: { kind: 'artifact', digest: DIGEST },
  commit: 'c'.repeat(12),
  date: '20250101',
  source: null,
  spec: `sha256:${'0'.repeat(64)}`,
};
const git: RequestFacts = {
  ...directory,
  commit: COMMIT.slice(0, 12),
  context: {
    kind: 'git',
    url: GIT.git,
    ref: COMMIT,
    subdirectory: '.',
    containerfile: 'Containerfile',
    builderConfig: null,
  },
};

function templateOf(spec: FlightlineSpec, facts: RequestFacts) {
  const made = makeTemplate(spec, facts);
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.template;
}

describe('a template', () => {
  it('has the tags as they are written, and the ref of a git context', () => {
    const template = templateOf(specWith({ tag: 'n-{{date}}-{{commit}}', alsoTag: ['nightly'], context: GIT }), git);
    expect(template).toMatchObject({
      tag: 'n-{{date}}-{{commit}}',
      alsoTag: ['nightly'],
      commit: null,
      tagPolicy: 'move',
    });
    expect(template.context).toMatchObject({ kind: 'git', ref: 'main' });
    const input = { schemaVersion: 1, template, cron: '0 2 * * *', timeZone: 'UTC', supersede: false };
    expect(NightlyInput.parse(input)).toEqual(input);
  });

  it('keeps the commit of a directory', () => {
    expect(templateOf(specWith({ tag: 'n-{{commit}}' }), directory).commit).toBe('c'.repeat(12));
  });

  it.each([
    ['a tag that would be none', { tag: 'n {{date}}' }, directory],
    ['a value that is unknown', { tag: 'n-{{version}}' }, directory],
    ['a commit that there is not', { tag: 'n-{{commit}}' }, { ...directory, commit: undefined }],
  ])('is refused for %s', (_, image, facts) => {
    expect(makeTemplate(specWith(image), facts)).toMatchObject({ ok: false, problems: [{ path: 'image.tag' }] });
  });
});

describe('a run', () => {
  const at = '2026-11-23T23:30:00.000Z';

  it('fills in the scheduled day and the commit', () => {
    const template = templateOf(specWith({ tag: 'n-{{date}}-{{commit}}', alsoTag: ['nightly'], context: GIT }), git);
    const expanded = expandNightly(template, { at, commit: COMMIT, standing: null });
    expect(expanded).toMatchObject({
      ok: true,
      request: {
        tag: 'n-20261123-a1b2c3d4e5f6',
        alsoTag: ['nightly'],
        updateFrom: 'nightly',
        commit: 'a1b2c3d4e5f6',
        context: { ref: COMMIT },
      },
    });
  });

  it('lets machines follow its own tag where no other moves', () => {
    const template = templateOf(specWith({ tag: 'n-{{date}}' }), directory);
    expect(template.updateFrom).toBe('n-{{date}}');
    expect(expandNightly(template, { at, commit: null, standing: null })).toMatchObject({
      request: { tag: 'n-20261123', updateFrom: 'n-20261123' },
    });
  });

  it('tells the release which one was the last, if that matters', () => {
    const template = templateOf(specWith({ tag: 'n-{{date}}' }, { rebuild: 'when-changed', maxAge: '7d' }), directory);
    const expanded = expandNightly(template, { at, commit: null, standing: 'n-20261122' });
    const week = 7 * 24 * 3_600_000;
    expect(expanded).toMatchObject({ request: { rebuild: { maxAge: week, last: 'n-20261122' } } });
    const always = expandNightly(templateOf(specWith({ tag: 'n-{{date}}' }), directory), {
      at,
      commit: null,
      standing: 'n-20261122',
    });
    expect(always.ok && always.request).not.toHaveProperty('rebuild');
  });

  it('leaves out a further tag that is the same as the tag', () => {
    const template = templateOf(specWith({ tag: 'n-{{date}}', alsoTag: ['n-20261123', 'nightly'] }), directory);
    expect(expandNightly(template, { at, commit: null, standing: null })).toMatchObject({
      request: { tag: 'n-20261123', alsoTag: ['nightly'] },
    });
  });

  it('is refused when a commit that the tag needs is not there', () => {
    const template = { ...templateOf(specWith({ tag: 'n-{{commit}}' }), directory), commit: null };
    expect(expandNightly(template, { at, commit: null, standing: null })).toMatchObject({
      ok: false,
      failure: { kind: 'invalid-input', remedy: { action: expect.stringContaining('schedule set') } },
    });
  });
});

test('rebuild: when-changed is for tags that may move', () => {
  const fixed = templateOf(specWith({ tag: 'v1' }, { rebuild: 'when-changed' }), directory);
  expect(fixed).not.toHaveProperty('rebuild');
  const moving = templateOf(specWith({ tag: 'v1', tagPolicy: 'move' }, { rebuild: 'when-changed' }), directory);
  expect(moving.rebuild).toEqual({ maxAge: null, last: null });
});

test('maxAge without it is refused', () => {
  expect(() => specWith({}, { maxAge: '7d' })).toThrow(/is for rebuild: when-changed/);
});

test('a schedule is named after its repository', () => {
  expect(scheduleId(REPOSITORY)).toBe(`nightly/${REPOSITORY}`);
  expect(repositoryOfSchedule(scheduleId(REPOSITORY))).toBe(REPOSITORY);
  expect(repositoryOfSchedule('weekly-report')).toBeUndefined();
});

test.each([
  ['0 2 * * *', true],
  ['*/7 * * * * * *', true],
  ['0 2 * * MON-FRI', true],
  ['0 2 * * * 2026-2030', true],
  ['@daily', true],
  ['@every 1h', false],
  ['0 2 * *', false],
  ['0 2 * * * * * *', false],
  ['TZ=UTC 0 2 * * *', false],
  ['', false],
])('cron %j', (text, good) => expect(Cron.safeParse(text).success).toBe(good));

test.each([
  ['UTC', true],
  ['America/Argentina/Buenos_Aires', true],
  ['Etc/GMT+3', true],
  ['Europe Berlin', false],
])('time zone %j', (text, good) => expect(TimeZone.safeParse(text).success).toBe(good));

test.each([
  ['7d', 7 * 86_400_000, '7d'],
  ['12h', 12 * 3_600_000, '12h'],
  ['90m', 90 * 60_000, '1h'],
  ['45s', 45_000, '45s'],
  ['0d', undefined, ''],
  ['a week', undefined, ''],
])('age %j', (text, milliseconds, shown) => {
  expect(MaxAge.safeParse(text).success).toBe(milliseconds !== undefined);
  if (milliseconds === undefined) return;
  expect(parseDuration(text)).toBe(milliseconds);
  expect(formatAge(milliseconds)).toBe(shown);
});
