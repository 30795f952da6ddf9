/** What a prune removes and keeps, and why: a table of small repositories. */
import { describe, expect, it } from 'vitest';
import { decidePrune } from '../../../../activities/prune/decide.ts';
import { scheduledRelease } from '../../../../activities/prune/survey.ts';
import type { Survey, TaggedManifest, VerifiedRecord } from '../../../../activities/prune/surveyed.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import { recordTime, type PruneGroup } from '../../../../model/release/prune.ts';
import { groupDecisions, pageOf } from '../../../../activities/prune/page.ts';
import { makeTemplate } from '../../../../model/release/nightly.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import type { ContextSource } from '../../../../model/spec/request.ts';
import { jsonBytes } from '../../../../model/failure/failure.ts';
import { sha256 } from '../../../../model/base/digest.ts';

const R = 'r.example/acme/edge';
const RECORDS = `${R}/release`;
const CONTEXTS = `${R}/context`;
const LOGS = `${R}/logs`;
const DISKS = `${R}/diskimage-qcow2`;
const DAY = 24 * 60 * 60_000;
/** What an ended release leaves stays so long. */
const GRACE = DAY;
const NOW = Date.parse('2026-11-01T00:00:00Z');
const digest = (text: string) => `sha256:${sha256(text)}`;
const POLICY = { keepLast: 1, keepWithin: 10 * DAY };

interface Release {
  tag: string;
  /** Days ago. */
  age: number;
  image?: string;
  disk?: string;
  context?: string;
  reference?: string;
  /** A host's logs. */
  logs?: string;
  promotion?: object;
  platforms?: ReleaseRecord['image']['platforms'];
}

function recordOf({
  tag,
  age,
  image = `image ${tag}`,
  disk,
  context,
  reference = `${R}:${tag}`,
  logs,
  promotion,
  platforms,
}: Release) {
  const startedAt = new Date(NOW - age * DAY).toISOString();
  return {
    image: { reference, digest: digest(image), verified: true, ...(platforms && { platforms }) },
    disks: disk === undefined ? [] : [{ reference: `${DISKS}:${tag}`, digest: digest(disk) }],
    inputs: { context: digest(context ?? `context ${tag}`) },
    stages: [{ startedAt, durationMs: 0 }],
    ...(logs === undefined ? {} : { logs: [{ host: 'host-a', repository: LOGS, digest: digest(logs) }] }),
    promotion,
  } as unknown as ReleaseRecord;
}

const tagged = (tag: string, name: string, entries: string[] = []): TaggedManifest => ({
  tag,
  digest: digest(name),
  entries: entries.map(digest),
});

/** A repository that holds these releases in full. */
function surveyOf(releases: Release[], more: Partial<Survey> = {}): Survey {
  const verified = (release: Release): VerifiedRecord => ({ record: recordOf(release), allows: () => true });
  return {
    repository: R,
    recordRepository: RECORDS,
    contextRepository: CONTEXTS,
    tags: new Map([
      [R, releases.map(({ tag, image = `image ${tag}` }) => tagged(tag, image))],
      [RECORDS, releases.map(({ tag }) => tagged(tag, `record ${tag}`))],
      [LOGS, releases.flatMap(({ logs }) => (logs ? [tagged(digest(logs).replace(':', '-'), logs)] : []))],
      [DISKS, releases.flatMap(({ tag, disk }) => (disk ? [tagged(tag, disk, [`entry ${disk}`])] : []))],
    ]),
    records: new Map(releases.map((release) => [release.tag, verified(release)])),
    releases: [],
    unfinished: [],
    deletion: 'digest',
    ...more,
  };
}

/** The survey with further tags in a repository. */
function withTags(survey: Survey, repository: string, ...tags: TaggedManifest[]): Survey {
  return {
    ...survey,
    tags: new Map([...survey.tags, [repository, [...(survey.tags.get(repository) ?? []), ...tags]]]),
  };
}

const OLD = [
  { tag: 'v3', age: 20 },
  { tag: 'v2', age: 30 },
  { tag: 'v1', age: 40 },
];
const verdicts = (survey: Survey, policy = POLICY) =>
  Object.fromEntries(decidePrune(survey, policy, NOW).map(({ tag, verdict, reason }) => [tag, `${verdict} ${reason}`]));

describe('what is decided about releases', () => {
  const forged = surveyOf(OLD);
  const shared = withTags(
    withTags(surveyOf([...OLD, { tag: 'stable', age: 40, image: 'image v1', reference: `${R}:v1` }]), RECORDS),
    R,
  );
  it.each<[string, Survey, Record<string, string>, { keepLast: number; keepWithin: number }?]>([
    ['old ones go, the newest stays', surveyOf(OLD), { v1: 'remove old', v2: 'remove old', v3: 'keep last' }],
    [
      'both limits keep',
      surveyOf(OLD),
      { v1: 'remove old', v2: 'keep young', v3: 'keep last' },
      { keepLast: 1, keepWithin: 35 * DAY },
    ],
    [
      'a limit is one',
      surveyOf([
        { tag: 'a', age: 1 },
        { tag: 'b', age: 10 },
      ]),
      { a: 'keep last', b: 'remove old' },
    ],
    [
      'a tag without a record is nobody of ours',
      withTags(surveyOf(OLD), R, tagged('by-hand', 'else')),
      { v1: 'remove old', v2: 'remove old', v3: 'keep last', 'by-hand': 'keep foreign' },
    ],
    [
      'a forged record proves nothing',
      { ...forged, records: new Map([...forged.records, ['v1', null]]) },
      { v1: 'keep unverified', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'a further name keeps what it points at, and is no release',
      shared,
      { stable: 'keep shared', v1: 'keep in-use', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'what was promoted is no release of this repository',
      surveyOf([...OLD, { tag: 'promoted', age: 40, promotion: {} }]),
      { promoted: 'keep shared', v1: 'remove old', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'a name without a record of its own keeps it too',
      withTags(surveyOf(OLD), R, tagged('pinned', 'image v1')),
      { pinned: 'keep foreign', v1: 'keep in-use', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'a tag that somebody moved stays',
      withTags({ ...surveyOf(OLD), tags: new Map([[R, OLD.map(({ tag }) => tagged(tag, 'x'))]]) }, R),
      { v1: 'keep moved', v2: 'keep moved', v3: 'keep moved' },
    ],
    [
      'a release that runs again stays',
      surveyOf(OLD, { releases: [{ tag: 'v1', closedAt: null, digests: [], context: null }] }),
      { v1: 'keep open', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'what an open release has pushed stays',
      surveyOf(OLD, { releases: [{ tag: 'v4', closedAt: null, digests: [digest('image v2')], context: null }] }),
      { v1: 'remove old', v2: 'keep in-use', v3: 'keep last' },
    ],
    [
      'what a closed one pushed does not',
      surveyOf(OLD, { releases: [{ tag: 'v4', closedAt: NOW, digests: [digest('image v2')], context: null }] }),
      { v1: 'remove old', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'an equal disk of a kept release keeps the old one, and that its image',
      surveyOf([
        { tag: 'v3', age: 20, disk: 'same' },
        { tag: 'v2', age: 30, disk: 'same' },
        { tag: 'v1', age: 40, disk: 'own', image: 'image v2' },
      ]),
      { v1: 'keep in-use', v2: 'keep in-use', v3: 'keep last' },
    ],
    [
      'releases that share with each other go together',
      surveyOf([
        { tag: 'v3', age: 20 },
        { tag: 'v2', age: 30, disk: 'same' },
        { tag: 'v1', age: 40, disk: 'same' },
      ]),
      { v1: 'remove old', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'an interrupted prune is finished',
      {
        ...surveyOf(OLD),
        tags: new Map([...surveyOf(OLD).tags, [R, OLD.slice(0, 2).map(({ tag }) => tagged(tag, `image ${tag}`))]]),
      },
      { v1: 'remove leftover', v2: 'remove old', v3: 'keep last' },
    ],
    [
      'a record whose image somebody deleted lately waits',
      { ...surveyOf([{ tag: 'v1', age: 3 }]), tags: new Map([[RECORDS, [tagged('v1', 'record v1')]]]) },
      { v1: 'keep young' },
    ],
    [
      'a disk where the key has no say keeps its release',
      {
        ...surveyOf(OLD.slice(0, 2)),
        records: new Map([
          ['v3', { record: recordOf({ tag: 'v3', age: 20 }), allows: () => true }],
          ['v2', { record: recordOf({ tag: 'v2', age: 30 }), allows: (one: string) => one !== RECORDS }],
        ]),
      },
      { v2: 'keep not-listed', v3: 'keep last' },
    ],
  ])('%s', (_, survey, expected, policy) => {
    expect(verdicts(survey, policy)).toEqual(expected);
  });

  it('lets only the name go where tags can be deleted alone', () => {
    const survey = { ...withTags(surveyOf(OLD), R, tagged('pinned', 'image v1')), deletion: 'tag' as const };
    const [v1] = decidePrune(survey, POLICY, NOW).filter(({ tag }) => tag === 'v1');
    expect(v1?.removals.map(({ repository, nameOnly }) => [repository, nameOnly])).toEqual([
      [R, true],
      [RECORDS, false],
    ]);
  });

  it('takes image, disks with their entries, logs, and last the record', () => {
    const survey = surveyOf([
      { tag: 'new', age: 1 },
      { tag: 'v1', age: 40, disk: 'disk', logs: 'logs' },
    ]);
    const [v1] = decidePrune(survey, POLICY, NOW).filter(({ tag }) => tag === 'v1');
    expect(v1?.removals).toEqual([
      { repository: R, tag: 'v1', digest: digest('image v1'), entries: [], nameOnly: false },
      { repository: DISKS, tag: 'v1', digest: digest('disk'), entries: [digest('entry disk')], nameOnly: false },
      {
        repository: LOGS,
        tag: digest('logs').replace(':', '-'),
        digest: digest('logs'),
        entries: [],
        nameOnly: false,
      },
      { repository: RECORDS, tag: 'v1', digest: digest('record v1'), entries: [], nameOnly: false },
    ]);
  });

  it("takes the tag of a disk's entry, also where an interrupted prune left it, and no release of such a name", () => {
    const old = { tag: 'v1', age: 40, disk: 'disk' };
    const entry = tagged('v1-amd64', 'entry disk');
    const ofDisks = (releases: Release[], tags: TaggedManifest[]) => {
      const whole = surveyOf([{ tag: 'new', age: 1 }, ...releases]);
      const survey = { ...whole, tags: new Map([...whole.tags, [DISKS, tags]]) };
      const [v1] = decidePrune(survey, POLICY, NOW).filter(({ tag }) => tag === 'v1');
      return v1?.removals.filter(({ repository }) => repository === DISKS).map(({ tag, entries }) => [tag, entries]);
    };
    const whole = tagged('v1', 'disk', ['entry disk']);
    expect(ofDisks([old], [whole, entry])).toEqual([
      ['v1', [digest('entry disk')]],
      ['v1-amd64', []],
    ]);
    expect(ofDisks([old], [entry])).toEqual([['v1-amd64', []]]);
    const alike = { tag: 'v1-amd64', age: 1, disk: 'other' };
    expect(ofDisks([old, alike], [whole, tagged('v1-amd64', 'other', ['entry other'])])).toEqual([
      ['v1', [digest('entry disk')]],
    ]);
  });

  it("takes the tags of an image's platforms", () => {
    const platforms = (['amd64', 'arm64'] as const).map((platform) => ({ platform, digest: digest(platform) }));
    const whole = surveyOf([
      { tag: 'new', age: 1 },
      { tag: 'v1', age: 40, platforms },
    ]);
    const index = tagged('v1', 'image v1', ['amd64', 'arm64']);
    const tags = [tagged('new', 'image new'), index, tagged('v1-amd64', 'amd64'), tagged('v1-arm64', 'arm64')];
    const survey = { ...whole, tags: new Map([...whole.tags, [R, tags]]) };
    const [v1] = decidePrune(survey, POLICY, NOW).filter(({ tag }) => tag === 'v1');
    const removed = v1!.removals.filter(({ repository }) => repository === R);
    expect(removed.map(({ tag, nameOnly, entries }) => [tag, nameOnly, entries.length])).toEqual([
      ['v1', false, 2],
      ['v1-amd64', false, 0],
      ['v1-arm64', false, 0],
    ]);
  });

  it('counts time to the end of the last stage', () => {
    const stages = [
      { startedAt: '2026-01-01T00:00:00Z', durationMs: 5_000 },
      { startedAt: '2026-01-01T00:00:02Z', durationMs: null },
      { startedAt: null, durationMs: null },
    ] as unknown as ReleaseRecord['stages'];
    expect(recordTime({ stages })).toBe(Date.parse('2026-01-01T00:00:05Z'));
  });
});

describe('what is decided about contexts', () => {
  const context = (name: string) => tagged(digest(name).replace(':', '-'), name);
  const survey = (names: string[], releases: Survey['releases'] = []) =>
    withTags(
      surveyOf(
        [
          { tag: 'v2', age: 20 },
          { tag: 'v1', age: 40 },
        ],
        { releases },
      ),
      CONTEXTS,
      ...names.map(context),
    );
  /** What a prune learns from a schedule whose releases have this context. */
  const scheduled = (text: string) => {
    const spec = FlightlineSpec.parse({
      name: 'edge',
      image: { repository: R, tag: 'n-{{date}}' },
      signing: { key: 'release' },
    });
    const source: ContextSource = { kind: 'artifact', digest: digest(text) };
    const made = makeTemplate(spec, {
      context: source,
      commit: undefined,
      date: '20261101',
      source: null,
      spec: `sha256:${'0'.repeat(64)}`,
    });
    if (!made.ok) throw new Error(JSON.stringify(made.problems));
    const { template } = made;
    return scheduledRelease({ schemaVersion: 1, template, cron: '0 2 * * *', timeZone: 'UTC', supersede: false });
  };
  const known = (closedAt: number | null) => [{ tag: 'x', closedAt, digests: [], context: digest('sent') }];
  it.each<[string, string, Survey, string]>([
    ['of a kept release stays', 'context v2', survey(['context v2']), 'keep named'],
    ['of a removed release goes', 'context v1', survey(['context v1']), 'remove unused'],
    ['that nothing tells of stays', 'sent', survey(['sent']), 'keep age-unknown'],
    ['of an open release stays', 'sent', survey(['sent'], known(null)), 'keep named'],
    [
      'that a schedule starts its releases with stays, however old its last one is',
      'context v1',
      survey(['context v1'], scheduled('context v1')),
      'keep named',
    ],
    ['of one that just failed stays', 'sent', survey(['sent'], known(NOW - 1000)), 'keep named'],
    ['of one that failed long ago goes', 'sent', survey(['sent'], known(NOW - GRACE - 1)), 'remove unused'],
  ])('%s', (_, name, looked, expected) => {
    expect(verdicts(looked)[context(name).tag]).toBe(expected);
  });
});

describe('what is decided about what failed releases left', () => {
  const left = { repository: R, digest: digest('left') };
  const looked = (closedAt: number, more: Partial<Survey> = {}) =>
    surveyOf([{ tag: 'v2', age: 20 }], {
      releases: [{ tag: 'v3', closedAt, digests: [], context: null, unfinished: [left] }],
      unfinished: [{ ...left, entries: [digest('entry')] }],
      ...more,
    });
  const unfinished = (survey: Survey) =>
    decidePrune(survey, POLICY, NOW).filter(({ kind, verdict }) => kind === 'unfinished' && verdict === 'remove');

  it('goes with its entries, a day after its release ended', () => {
    expect(unfinished(looked(NOW - GRACE - 1)).map(({ removals }) => removals)).toEqual([
      [{ ...left, tag: left.digest, entries: [digest('entry')], nameOnly: false }],
    ]);
    expect(unfinished(looked(NOW - 1000))).toEqual([]);
  });

  it('goes with the tag of an entry that was placed before the release was stopped', () => {
    const stopped = withTags(looked(NOW - GRACE - 1), R, tagged('v3-amd64', 'entry'));
    const entry = { repository: R, tag: 'v3-amd64', digest: digest('entry'), entries: [], nameOnly: false };
    const index = { ...left, tag: left.digest, entries: [digest('entry')], nameOnly: false };
    expect(unfinished(stopped).map(({ removals }) => removals)).toEqual([[entry, index]]);
    // With an index's own tag beside it, it is that one's.
    const standing = withTags(looked(NOW - GRACE - 1), R, tagged('v3-amd64', 'entry'), tagged('v3', 'other'));
    expect(unfinished(standing).map(({ removals }) => removals)).toEqual([[{ ...index, entries: [] }]]);
  });

  it('stays when a tag, a record or an open release has it by now', () => {
    const gone = NOW - GRACE - 1;
    expect(unfinished(withTags(looked(gone), R, tagged('by-hand', 'left')))).toEqual([]);
    const { releases } = looked(gone);
    const open = { tag: 'v3', closedAt: null, digests: [left.digest], context: null };
    expect(unfinished(looked(gone, { releases: [...releases, open] }))).toEqual([]);
    const recorded = surveyOf([{ tag: 'v2', age: 20, image: 'left' }]);
    expect(unfinished({ ...looked(gone), records: recorded.records })).toEqual([]);
  });
});

it('pages hold every tag once, and fit in a payload', () => {
  const releases = Array.from({ length: 1500 }, (_, index) => ({ tag: `nightly-2026-${index}`, age: index }));
  const decisions = decidePrune(surveyOf(releases), POLICY, NOW);
  const seen: string[] = [];
  const reasons: string[] = [];
  for (let from: number | null = 0; from !== null;) {
    const page: { groups: PruneGroup[]; next: number | null } = pageOf(decisions, from, groupDecisions);
    expect(jsonBytes(page)).toBeLessThan(9_000);
    seen.push(...page.groups.flatMap(({ tags }) => tags));
    reasons.push(...page.groups.flatMap(({ reason, tags }) => tags.map(() => reason)));
    from = page.next;
  }
  expect(seen.toSorted()).toEqual(releases.map(({ tag }) => tag).toSorted());
  const counted = Object.fromEntries(
    [...new Set(reasons)].map((reason) => [reason, reasons.filter((one) => one === reason).length]),
  );
  expect(counted).toMatchObject({ last: 1, young: 9, old: 1490 });
});
