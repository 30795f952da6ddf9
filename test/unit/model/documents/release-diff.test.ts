import { describe, expect, it } from 'vitest';
import { markdownDiff, renderDiff } from '../../../../client/view/diff.ts';
import { JSON_SCHEMAS } from '../../../../model/json-schema.ts';
import type { GateVerdict, RecordedGate } from '../../../../model/gate/gate.ts';
import { ReleaseDiff, releaseDiff, type RecordedImage } from '../../../../model/documents/release-diff.ts';

const digest = (name: string) => `sha256:${name.repeat(64)}`;
const R = 'q.io/a/b';

const gate = (name: string, more: Partial<RecordedGate> = {}): RecordedGate => ({
  name,
  on: 'image',
  reference: `q.io/gates/${name}:1`,
  digest: digest('1'),
  arguments: '0'.repeat(16),
  ...more,
});
const verdict = (name: string, more: Partial<GateVerdict> = {}): GateVerdict => ({
  gate: name,
  subject: 'image',
  digest: digest('d'),
  verdict: 'passed',
  ...more,
});
const waived = (name: string, comment: string): GateVerdict =>
  verdict(name, { verdict: 'waived', waiver: { by: 'anna@lab', at: '2026-11-30T00:00:00Z', comment } });

const none = { image: digest('0'), disks: {}, base: [], builder: null, context: digest('0') };
function image(tag: string, gates?: RecordedGate[], verdicts: GateVerdict[] = []): RecordedImage {
  const manifest = { schemaVersion: 2 as const, layers: [] };
  const one = { platform: 'linux/amd64', image: { digest: digest('a'), size: 1, manifest } };
  return {
    reference: `${R}:${tag}`,
    images: [{ ...one, configuration: { os: 'linux', architecture: 'amd64' } }],
    record: gates ? { inputs: { ...none, ...(gates.length > 0 && { gates }) }, gates: verdicts } : null,
  };
}
const linesOf = (diff: ReleaseDiff) => renderDiff(diff, false).slice(2);

describe('what differs between the gates of two releases', () => {
  const diff = releaseDiff(
    image('v1', [gate('age'), gate('cves'), gate('setuid'), gate('size', { on: 'disk' })], [waived('cves', 'before')]),
    image(
      'v2',
      [
        gate('size', { on: 'disk', reference: 'q.io/gates/size:2', digest: digest('2') }),
        gate('cves', { digest: digest('2') }),
        gate('setuid', { arguments: 'f'.repeat(16), network: true }),
        gate('licences'),
      ],
      [waived('setuid', 'ping needs it\n- gate all: passed'), verdict('licences'), verdict('cves')],
    ),
  );

  it('is told by their names, whatever their order', () => {
    expect(ReleaseDiff.parse(diff)).toEqual(diff);
    expect(diff).toMatchObject({
      gates: {
        added: [{ name: 'licences' }],
        removed: [{ name: 'age' }],
        changed: [{ to: { name: 'size' } }, { to: { name: 'cves' } }, { to: { name: 'setuid' } }],
      },
      waived: [{ gate: 'setuid', waiver: { by: 'anna@lab' } }],
      unrecorded: [],
    });
  });

  it('is told on a terminal', () => {
    expect(linesOf(diff)).toEqual([
      'gate new: licences on image (q.io/gates/licences:1)',
      'gate gone: age on image (q.io/gates/age:1)',
      'gate changed: size: q.io/gates/size:1 → q.io/gates/size:2, sha256:111111111111 → sha256:222222222222',
      'gate changed: cves: sha256:111111111111 → sha256:222222222222',
      'gate changed: setuid: other arguments, with a network',
      `gate setuid on image: waived by anna@lab: ping needs it - gate all: passed (${digest('d')})`,
    ]);
  });

  it('is told in Markdown', () => {
    const lines = markdownDiff(diff);
    expect(lines.slice(lines.indexOf('### Gates'), lines.indexOf('### Gates') + 3)).toEqual([
      '### Gates',
      '',
      '- gate new: licences on image (q.io/gates/licences:1)',
    ]);
    expect(lines.at(-1)).toContain('waived by anna@lab: ping needs it - gate all: passed');
  });

  it('is nothing where they are the same, or none', () => {
    expect(linesOf(releaseDiff(image('v1', [gate('a'), gate('b')]), image('v2', [gate('b'), gate('a')])))).toEqual([]);
    expect(linesOf(releaseDiff(image('v1', []), image('v2', [])))).toEqual([]);
    expect(markdownDiff(releaseDiff(image('v1', []), image('v2', []))).join()).not.toContain('Gates');
  });

  it('is not known where one has no record, but a waiver is told', () => {
    const unknown = releaseDiff(image('v1'), image('v2', [gate('cves')], [waived('cves', 'no fix yet')]));
    expect(unknown).toMatchObject({ gates: null, unrecorded: [`${R}:v1`] });
    expect(linesOf(unknown)).toEqual([
      `gates are not known: there is no record of ${R}:v1 that can be read`,
      expect.stringMatching(/^gate cves on image: waived by anna@lab: no fix yet/),
    ]);
    expect(linesOf(releaseDiff(image('v1'), image('v2')))).toEqual([]);
  });

  it('has a published schema', () => expect(JSON_SCHEMAS.diff()).toMatchObject({ title: 'flightline diff' }));
});
