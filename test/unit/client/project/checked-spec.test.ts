import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../../../activities/tools/process/command.ts';
import { commitOf } from '../../../../activities/tools/git.ts';
import { gitFacts, publicSource } from '../../../../client/project/git.ts';
import { timingFromEnvironment } from '../../../../client/project/checked-spec.ts';
import { releaseIdOf } from '../../../../client/temporal/release-name.ts';
import { staticDetails } from '../../../../model/release/summaries.ts';
import { loadSpec, locate } from '../../../../client/project/spec-loading.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { makeRequest } from '../../../../model/spec/make-request.ts';
import { workflowPage } from '../../../../client/temporal/temporal.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-client-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const SPEC = `name: edge-camera
image:
  repository: quay.io/acme/edge-camera
  tag: v1
signing: {key: release}
disks:
  - type: iso
builder:
  config: config.toml
`;

describe('loading a spec', () => {
  test('tells every missing file at its line and column', async () => {
    const file = join(directory, 'missing.yaml');
    await writeFile(file, SPEC);
    await expect(loadSpec(file)).rejects.toMatchObject({
      kind: 'invalid-spec',
      exitCode: 2,
      message:
        `${file}:3:3: image.containerfile: there is no file ${join(directory, 'Containerfile')}\n` +
        `${file}:9:11: builder.config: there is no file ${join(directory, 'config.toml')}`,
    });
  });

  test('tells an unknown key with the nearest known one', async () => {
    const file = join(directory, 'unknown.yaml');
    await writeFile(file, SPEC.replace('disks:', 'disk:'));
    await expect(loadSpec(file)).rejects.toMatchObject({
      message: `${file}:6:1: disk: unknown key "disk"; did you mean "disks"?`,
    });
  });

  test('of a directory takes the one in it, and tells a missing key in words', async () => {
    const own = await mkdtemp(join(tmpdir(), 'flightline-spec-'));
    await writeFile(join(own, 'flightline.yaml'), 'name: edge\nimage: { tag: v1 }\nsigning: { key: release }\n');
    await expect(loadSpec(own)).rejects.toThrow(`${own}/flightline.yaml:2:8: image.repository is missing`);
    await rm(own, { recursive: true });
  });

  test('a spec that is not there', async () => {
    await expect(loadSpec(join(directory, 'none.yaml'))).rejects.toMatchObject({ kind: 'spec-not-found', exitCode: 2 });
  });

  test('finds its files relative to itself', async () => {
    const file = join(directory, 'good.yaml');
    const spec = (path: string) =>
      SPEC.replace(/builder:[^]*/, '').replace('image:\n', `image:\n  buildContexts: { this: ., other: ${path} }\n`);
    await writeFile(join(directory, 'Containerfile'), 'FROM x\n');
    await writeFile(file, spec('../gone'));
    const gone = /good.yaml:3:\d+: image\.buildContexts\.other: there is no directory .*\/gone/;
    await expect(loadSpec(file)).rejects.toThrow(gone);
    await writeFile(file, spec('..'));
    expect((await loadSpec(file)).local).toEqual({
      directory,
      containerfile: join(directory, 'Containerfile'),
      builderConfig: null,
      buildContexts: { this: directory, other: dirname(directory) },
    });
    await rm(join(directory, 'Containerfile'));
  });
});

test.each([
  ['image.tag', 4, 8],
  ['disks[0].type', 7, 11],
  ['disks[0]', 7, 5],
  ['disks[0].publish', 7, 5],
  ['repositories', 1, 1],
  ['', 1, 1],
])('%s stands at %d:%d', (path, line, column) => {
  expect(locate(SPEC, [{ path, message: 'm' }])).toEqual([{ path, message: 'm', line, column }]);
});

test.each([
  ['https://github.com/acme/edge.git', 'https://github.com/acme/edge.git'],
  ['https://user:secret@example.org/a?token=x#y', 'https://example.org/a'],
  ['git@github.com:acme/edge.git', 'ssh://github.com/acme/edge.git'],
  ['ssh://git@example.org:2222/a', 'ssh://example.org:2222/a'],
  ['/home/me/edge', null],
  ['file:///home/me/edge', null],
  ['../edge', null],
])('the source %s is published as %s', (remote, source) => expect(publicSource(remote)).toBe(source));

describe('the commit', () => {
  const [a, b] = ['a'.repeat(40), 'b'.repeat(40)];
  test.each([
    [`${a}\tHEAD`, 'HEAD', a],
    [`${a}\trefs/heads/main`, 'main', a],
    [`${a}\trefs/tags/v1\n${b}\trefs/tags/v1^{}`, 'v1', b],
    [`${a}\trefs/heads/x\n${b}\trefs/tags/x`, 'x', b],
    ['', 'x', undefined],
    ['fatal: something', 'x', undefined],
    [`${a}\trefs/heads/other/main`, 'main', undefined],
  ])('of ls-remote %#', (output, ref, commit) => expect(commitOf(output, ref)).toBe(commit));

  test('of a work tree is there only while nothing is uncommitted', async () => {
    const tree = await mkdtemp(join(directory, 'tree-'));
    const git = (...args: string[]) =>
      runCommand('git', ['-C', tree, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args]);
    expect(await gitFacts(tree, [tree])).toEqual({ commit: undefined, source: null });
    await git('init', '--quiet');
    await writeFile(join(tree, 'Containerfile'), 'FROM x\n');
    await git('add', '.');
    await git('commit', '--quiet', '-m', 'a');
    await git('remote', 'add', 'origin', 'https://me:secret@example.org/edge.git');
    const clean = await gitFacts(tree, [tree]);
    expect(clean).toEqual({ commit: expect.stringMatching(/^[0-9a-f]{12}$/), source: 'https://example.org/edge.git' });
    await writeFile(join(tree, 'untracked'), '');
    expect((await gitFacts(tree, [tree])).commit).toBeUndefined();
    expect((await gitFacts(tree, [join(tree, 'Containerfile')])).commit).toBe(clean.commit);
  });
});

describe('FLIGHTLINE_TIMING', () => {
  test.each([
    [{}, {}],
    [{ FLIGHTLINE_TIMING: '{"holdFor":60000}' }, { holdFor: 60_000 }],
  ])('%j', (environment, timing) => expect(timingFromEnvironment(environment)).toEqual(timing));

  test.each(['nonsense', '{"holdFor":-1}', '{"hold":1}'])('%s is refused', (text) =>
    expect(() => timingFromEnvironment({ FLIGHTLINE_TIMING: text })).toThrow('FLIGHTLINE_TIMING is not understood'),
  );
});

test.each([
  ['quay.io/acme/edge:v1', 'release/quay.io/acme/edge:v1'],
  ['release/quay.io/acme/edge:v1', 'release/quay.io/acme/edge:v1'],
])('RELEASE %s', (text, id) => expect(releaseIdOf(text)).toBe(id));

test.each(['quay.io/acme/edge', 'edge:v1', '--json', ''])('%j names no release', (text) =>
  expect(() => releaseIdOf(text)).toThrow('names no release'),
);

test('the page of a release in the Web UI', () => {
  expect(workflowPage('http://127.0.0.1:8233', 'default', 'release/quay.io/a/b:v1', 'run')).toBe(
    'http://127.0.0.1:8233/namespaces/default/workflows/release%2Fquay.io%2Fa%2Fb%3Av1/run/history',
  );
  expect(workflowPage(null, 'default', 'release/a', 'run')).toBeNull();
});

test('static details name what is asked for', () => {
  const spec = FlightlineSpec.parse({
    name: 'edge-camera',
    image: { repository: 'quay.io/acme/edge-camera', tag: 'v1' },
    signing: { key: 'release' },
    disks: [{ type: 'qcow2', publish: 'container-disk' }, { type: 'raw' }, { type: 'vmdk', publish: 'none' }],
  });
  const made = makeRequest(spec, {
    context: { kind: 'artifact', digest: `sha256:${'a'.repeat(64)}` },
    commit: undefined,
    date: '20260101',
    source: null,
    spec: `sha256:${'0'.repeat(64)}`,
  });
  const details = staticDetails(made.ok ? made.request : ({} as never));
  expect(details).toContain('**edge-camera** → `quay.io/acme/edge-camera:v1`');
  expect(details).toContain('- qcow2, as container-disk in `quay.io/acme/edge-camera/diskimage-qcow2`');
  expect(details).toContain('- raw, as artifact in `quay.io/acme/edge-camera/diskimage-raw` (gzip)');
  expect(details).toContain('- vmdk, not published');
  expect(details).toContain('- commit: none, or not clean');
});
