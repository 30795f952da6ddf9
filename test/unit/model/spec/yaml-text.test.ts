/** What is wrong with a YAML text itself, at its place and in a line. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { formatProblems, parseYamlFile } from '../../../../model/spec/spec-file.ts';
import { readYaml } from '../../../../model/spec/yaml-text.ts';

const bomb = ['a0: &a0 [x]', ...Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n},`.repeat(10)}]`)];

describe('a text that is no YAML, or means nothing', () => {
  it.each([
    ['an alias without an anchor', 'name: a\ntag: *v\n', /^f:2:6: \*v stands before an anchor &v; quote/],
    ['a bomb of aliases', bomb.join('\n'), /^f:1:1: its aliases repeat too much$/],
    ['a template without quotes', 'image:\n  tag: {{date}}\n', /^f:2:8: quote it: /],
    ['two of them', 'image:\n  tag: {{date}}-{{commit}}\nx: y\n', /^f:2:8: quote it: /],
    ['one in a list', 'alsoTag: [{{date}}]\n', /^f:1:11: quote it: /],
    ['one in another list', 'alsoTag:\n  - {{ date }}\n', /^f:2:5: quote it: /],
    ['a map as a key', '? {a: b}\n: c\n', /^f:1:3: a key must be a text$/],
    ['a missing bracket', `a: [${'[b],\n'.repeat(80)}`, /^f:\d+:\d+: Flow sequence/],
    ['brackets without end', '['.repeat(200_000), /^f:1:1: is nested too deeply$/],
    ['lists without end', '- '.repeat(200_000), /^f:1:1: is nested too deeply$/],
    ['a key twice', 'a: b\na: c\n', /^f:2:1: Map keys must be unique$/],
    ['two documents', 'a: b\n---\nc: d\n', /^f:2:1: /],
  ])('%s', (_, text, expected) => {
    const read = readYaml(text);
    if (read.ok) expect.fail('it should have been refused');
    expect(formatProblems('f', read.problems)).toMatch(expected);
    expect(formatProblems('f', read.problems)).not.toContain('\n');
  });

  it('is no error with a template in quotes, or an alias after its anchor', () => {
    const read = readYaml('tag: "{{date}}"\na: &v {b: 1}\nc: *v\n# {{x}}\n');
    expect(read).toMatchObject({ ok: true, yaml: { value: { tag: '{{date}}', a: { b: 1 }, c: { b: 1 } } } });
  });
});

it('tells the first three problems, and how many more there are', () => {
  const read = parseYamlFile('{a: 1, b: 2, c: 3, d: 4, e: 5}', z.strictObject({}));
  if (read.ok) expect.fail('it should have been refused');
  expect(formatProblems('f', read.problems).split('\n')).toEqual([
    expect.stringMatching(/^f:1:2: a: /),
    expect.stringMatching(/^f:1:8: b: /),
    expect.stringMatching(/^f:1:14: c: /),
    'and 2 more',
  ]);
});
