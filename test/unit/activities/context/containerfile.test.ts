import { describe, expect, it } from 'vitest';
import { readContainerfile } from '../../../../activities/context/containerfile.ts';

const read = (text: string, buildArgs: Record<string, string> = {}) => readContainerfile(text, buildArgs, 'amd64');

describe('readContainerfile', () => {
  it.each<[string, string, Record<string, string>, string[], string | null]>([
    ['one FROM', 'FROM quay.io/a/b:1\nRUN true', {}, ['quay.io/a/b:1'], 'quay.io/a/b:1'],
    [
      'a digest',
      `FROM quay.io/a/b@sha256:${'0'.repeat(64)}`,
      {},
      [`quay.io/a/b@sha256:${'0'.repeat(64)}`],
      `quay.io/a/b@sha256:${'0'.repeat(64)}`,
    ],
    ['an argument with default', 'ARG BASE=quay.io/a/b:1\nFROM ${BASE}', {}, ['quay.io/a/b:1'], 'quay.io/a/b:1'],
    [
      'an argument that is given',
      'ARG BASE=quay.io/a/b:1\nFROM $BASE',
      { BASE: 'quay.io/a/b:2' },
      ['quay.io/a/b:2'],
      'quay.io/a/b:2',
    ],
    ['an argument without default', 'ARG V\nFROM quay.io/a/b:${V:-9}', {}, ['quay.io/a/b:9'], 'quay.io/a/b:9'],
    [
      'an argument made of another',
      'ARG V=3\nARG BASE=quay.io/a/b:$V\nFROM ${BASE}',
      {},
      ['quay.io/a/b:3'],
      'quay.io/a/b:3',
    ],
    ['a platform argument', 'FROM quay.io/a/b:$TARGETARCH', {}, ['quay.io/a/b:amd64'], 'quay.io/a/b:amd64'],
    [
      'stages',
      'FROM quay.io/a/tool:1 AS tool\nFROM quay.io/a/b:1\nCOPY --from=tool /x /y\nCOPY --from=0 /x /z',
      {},
      ['quay.io/a/tool:1', 'quay.io/a/b:1'],
      'quay.io/a/b:1',
    ],
    ['a stage on a stage', 'FROM quay.io/a/b:1 AS base\nFROM base', {}, ['quay.io/a/b:1'], 'quay.io/a/b:1'],
    [
      'COPY from an image',
      'FROM quay.io/a/b:1\nCOPY --from=quay.io/c/d:2 /x /y',
      {},
      ['quay.io/a/b:1', 'quay.io/c/d:2'],
      'quay.io/a/b:1',
    ],
    [
      'RUN with a mount',
      'FROM quay.io/a/b:1\nRUN --mount=type=bind,from=quay.io/c/d:2,target=/x true',
      {},
      ['quay.io/a/b:1', 'quay.io/c/d:2'],
      'quay.io/a/b:1',
    ],
    ['scratch', 'FROM scratch', {}, [], null],
    [
      'a comment and a continuation',
      '# FROM quay.io/no/no:1\nFROM \\\n  quay.io/a/b:1',
      {},
      ['quay.io/a/b:1'],
      'quay.io/a/b:1',
    ],
  ])('%s', (_, text, buildArgs, images, base) => {
    const facts = read(text, buildArgs);
    expect(facts.images).toEqual(images);
    expect(facts.base).toBe(base);
  });

  it('finds labels of the last stage and of those it is built on', () => {
    const facts = read('FROM quay.io/a/b:1 AS base\nLABEL containers.bootc=1\nFROM base\nLABEL x="y z"');
    expect(facts.label('containers.bootc')).toBe('1');
    expect(facts.label('x')).toBe('y z');
    expect(facts.label('none')).toBeUndefined();
  });

  it.each<[string, string, Record<string, string>, string[]]>([
    ['several arguments on a line', 'ARG A=quay.io/a B=b:1\nFROM ${A}/${B}', {}, ['quay.io/a/b:1']],
    ['nested defaults', 'ARG T=1\nFROM ${BASE:-quay.io/a/${NAME:-b}:${T}}', {}, ['quay.io/a/b:1']],
    ['quotes', 'FROM quay.io/a/b:1 AS s\nFROM quay.io/a/b:1\nCOPY --from="s" / /', {}, ['quay.io/a/b:1']],
    [
      'a stage by build argument',
      'FROM quay.io/a/b:1 AS s\nFROM quay.io/a/b:1\nARG V\nCOPY --from=${V} / /',
      { V: 's' },
      ['quay.io/a/b:1'],
    ],
    [
      'an image by argument',
      'FROM quay.io/a/b:1\nARG V=quay.io/c/d:1\nCOPY --from=${V} / /',
      {},
      ['quay.io/a/b:1', 'quay.io/c/d:1'],
    ],
  ])('understands %s', (_, text, buildArgs, images) => {
    expect(read(text, buildArgs).images).toEqual(images);
  });

  it.each([
    ['no FROM', 'RUN true'],
    ['a short name', 'FROM debian:12'],
    ['a local image', 'RUN x\nFROM localhost/base:1'],
    ['an expansion that it does not know', 'ARG V=v9\nFROM quay.io/a/b:${V#v}'],
    ['an option in disguise', 'FROM -x'],
    ['another transport', 'FROM oci:./out.oci'],
    ['a FROM without an image', 'FROM'],
  ])('leaves %s to podman', (_, text) => {
    expect(read(text)).toMatchObject({ images: [], base: null });
  });
});
