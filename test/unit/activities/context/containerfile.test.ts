import { describe, expect, it } from 'vitest';
import { pinContainerfile, readContainerfile } from '../../../../activities/context/containerfile.ts';

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

  it.each([
    ['no FROM', 'RUN true', /no FROM/],
    ['a short name', 'FROM debian:12', /line 1: "debian:12"/],
    ['a local image', 'RUN x\nFROM localhost/base:1', /line 2.*push it to a registry/],
    ['a variable without value', 'FROM quay.io/a/b:$V', /variable V has no value/],
    ['an option in disguise', 'FROM -x', /line 1/],
    ['a variable in --from', 'FROM quay.io/a/b:1\nCOPY --from=$X / /', /line 2.*cannot be pinned/],
  ])('refuses %s', (_, text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

it('pins every image where it stands, and leaves the rest alone', () => {
  const text = [
    'ARG BASE=quay.io/a/b:1',
    'FROM quay.io/t/tool:2 AS tool',
    'FROM --platform=linux/amd64 \\',
    '  ${BASE} AS last # no comment',
    'COPY --from=tool /x /y',
    'COPY --chown=0:0 --from=quay.io/c/d:3 /x /z',
    'RUN --mount=type=bind,from=quay.io/c/d:3,target=/x --mount=type=cache,target=/c echo quay.io/a/b:1',
  ].join('\n');
  const facts = readContainerfile(text, {}, 'amd64');
  expect(pinContainerfile(text, facts.uses, (image) => `<${image}>`)).toBe(
    [
      'ARG BASE=quay.io/a/b:1',
      'FROM <quay.io/t/tool:2> AS tool',
      'FROM --platform=linux/amd64 \\',
      '  <quay.io/a/b:1> AS last # no comment',
      'COPY --from=tool /x /y',
      'COPY --chown=0:0 --from=<quay.io/c/d:3> /x /z',
      'RUN --mount=type=bind,from=<quay.io/c/d:3>,target=/x --mount=type=cache,target=/c echo quay.io/a/b:1',
    ].join('\n'),
  );
});
