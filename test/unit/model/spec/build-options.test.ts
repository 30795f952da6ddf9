import { describe, expect, it } from 'vitest';
import {
  BuildOptions,
  buildFlags,
  compressionFlags,
  contextDirectories,
  contextImages,
} from '../../../../model/spec/build-options.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { makeRequest } from '../../../../model/spec/make-request.ts';
import { DIGEST } from '../../client/view/record.ts';

const OPTIONS = {
  target: 'edge',
  buildContexts: { tools: 'docker-image://quay.io/acme/tools:1', 'a/b:1': '../files' },
  labels: { 'a.b': 'x y', n: 1 },
  annotations: { c: '-d' },
};

describe('what podman build is told of an image', () => {
  it('is a flag for each', () => {
    const options = BuildOptions.parse(OPTIONS);
    expect(contextImages(options)).toEqual(['quay.io/acme/tools:1']);
    expect(contextDirectories(options)).toEqual({ 'a/b:1': '../files' });
    const flags = buildFlags(
      options,
      () => `quay.io/acme/tools@${DIGEST}`,
      (name) => `/of/${name}`,
    );
    expect(flags).toEqual([
      '--target=edge',
      `--build-context=tools=docker-image://quay.io/acme/tools@${DIGEST}`,
      '--build-context=a/b:1=/of/a/b:1',
      '--label=a.b=x y',
      '--label=n=1',
      '--annotation=c=-d',
    ]);
  });

  it.each([
    ['a stage like a flag', { target: '-x' }],
    ['a context of the web', { buildContexts: { tools: 'https://example.org/tools.git' } }],
    ['a context like a flag', { buildContexts: { tools: '-x' } }],
    ['an image by another name', { buildContexts: { tools: 'container-image://quay.io/acme/tools:1' } }],
    ['a local image', { buildContexts: { tools: 'docker-image://localhost/tools:1' } }],
    ['a label of flightline', { labels: { 'io.flightline.inputs': 'x' } }],
    ['a base that is not true', { annotations: { 'org.opencontainers.image.base.name': 'x' } }],
    ['a name with a sign', { labels: { 'a=b': 'x' } }],
    ['a compression that no registry takes', { compression: 'bzip2' }],
    ['a level that gzip has not', { compression: { format: 'gzip', level: 10 } }],
    ['a level that zstd has not', { compression: { format: 'zstd:chunked', level: 21 } }],
    ['no compression at all', { compression: { format: 'gzip', level: 0 } }],
  ])('%s is refused', (_, options) => {
    expect(BuildOptions.safeParse(options).success).toBe(false);
  });

  it.each([
    [undefined, []],
    ['zstd:chunked', ['--compression-format=zstd:chunked']],
    [{ format: 'zstd', level: 20 }, ['--compression-format=zstd', '--compression-level=20']],
    [{ format: 'gzip', level: 9 }, ['--compression-format=gzip', '--compression-level=9']],
  ])('compression %j is %j to podman push', (compression, flags) => {
    expect(compressionFlags(BuildOptions.parse({ compression }))).toEqual(flags);
  });

  it('is in the request, and so are build arguments of any value', () => {
    const buildArgs = { A: '-x', B: 1, SET: null, UNSET: null };
    const image = { repository: 'quay.io/acme/edge', buildArgs, compression: 'zstd', ...OPTIONS };
    const spec = FlightlineSpec.parse({ name: 'edge', image, signing: { key: 'release' } });
    const made = makeRequest(spec, {
      context: { kind: 'artifact', digest: DIGEST },
      commit: undefined,
      date: '20261123',
      source: null,
      spec: `sha256:${'0'.repeat(64)}`,
      environment: { SET: 'given', OTHER: 'x' },
    });
    expect(made).toMatchObject({
      ok: true,
      request: { target: 'edge', labels: { n: '1' }, compression: { format: 'zstd' } },
    });
    expect(made.ok && made.request.buildArgs).toEqual({ A: '-x', B: '1', SET: 'given' });
  });
});
