import { describe, expect, it } from 'vitest';
import { rechunkArguments } from '../../../../../activities/tools/rechunker/rechunk-arguments.ts';
import { changedConfiguration } from '../../../../../activities/tools/rechunker/run.ts';

const run = {
  rechunker: 'abc',
  name: 'flightline-rechunk-1',
  labels: { a: 'b' },
  imageId: 'def',
  architecture: 'arm64',
  maxLayers: 96,
  directory: '/srv/rechunk',
  hasPrevious: true,
  graphRoot: '/var/lib/containers/storage',
};

describe('the arguments of a rechunker', () => {
  it("are chunkah's, without a network or rights", () => {
    const args = rechunkArguments('chunkah', run);
    expect(args.slice(args.indexOf('abc'))).toEqual([
      'abc',
      'build',
      '--config=/run/flightline/inspect.json',
      '--arch=arm64',
      '--max-layers=96',
      '--output=oci:/run/flightline/image',
    ]);
    expect(args).toEqual(expect.arrayContaining(['--network=none', '--mount=type=image,src=def,dst=/chunkah']));
    expect(args).not.toContain('--privileged');
  });

  it("are rpm-ostree's, with the last release's manifest where there is one", () => {
    const args = rechunkArguments('rpm-ostree', run);
    expect(args.slice(args.indexOf('abc') + 1)).toEqual([
      'compose',
      'build-chunked-oci',
      '--bootc',
      '--format-version=2',
      '--from=def',
      '--max-layers=96',
      '--previous-build=oci:/run/flightline/previous',
      '--output=oci:/run/flightline/image',
    ]);
    const first = rechunkArguments('rpm-ostree', { ...run, hasPrevious: false, maxLayers: undefined });
    expect(first.filter((one) => /previous-build|max-layers/.test(one))).toEqual([]);
  });
});

describe('an image with other layers', () => {
  const image = (Config: object, Architecture = 'amd64') => JSON.stringify([{ Architecture, Config, Annotations: {} }]);
  const Labels = { inputs: 'sha256:1' };

  it.each([
    ['the same', { Env: ['A=1'], Labels }, { Env: ['A=1'], Labels }, []],
    ['more labels', { Labels }, { Labels: { ...Labels, more: '1' } }, []],
    ['a lost label', { Labels }, { Labels: {} }, ['label inputs']],
    ['another command and user', { Cmd: ['/sbin/init'], User: 'a' }, { Cmd: ['sh'] }, ['Cmd', 'User']],
  ])('has %s', (_, before, after, changed) => {
    expect(changedConfiguration(image(before), image(after))).toEqual(changed);
  });

  it('is of the same architecture', () => {
    expect(changedConfiguration(image({}), image({}, 'arm64'))).toEqual(['Architecture']);
  });
});
