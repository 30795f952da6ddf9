import { describe, expect, it } from 'vitest';
import { renderDiff } from '../../../../client/view/diff.ts';
import { ImageConfiguration, ImageDiff, imageDiff, type PlatformImage } from '../../../../model/oci/image-diff.ts';
import { releaseDiff } from '../../../../model/documents/release-diff.ts';

const digest = (name: string) => `sha256:${name.repeat(64)}`;

interface Made {
  layers: [string, number, string][];
  config?: object;
  annotations?: Record<string, string>;
  platform?: string;
}
function image(name: string, { layers, config = {}, annotations, platform = 'linux/amd64' }: Made): PlatformImage {
  const [os, architecture] = platform.split('/') as [string, string];
  const history = layers.flatMap(([, , created_by]) => [
    { created_by },
    { created_by: 'ENV after it', empty_layer: true },
  ]);
  const descriptor = (one: string, size: number) => ({ mediaType: 'a/b', digest: digest(one), size });
  return {
    platform,
    image: {
      digest: digest(name),
      size: 1_000,
      manifest: {
        schemaVersion: 2,
        config: descriptor('c', 500),
        layers: layers.map(([one, size]) => descriptor(one, size)),
        annotations,
      },
    },
    configuration: ImageConfiguration.parse({ os, architecture, config, history }),
  };
}
const one = image('a', {
  layers: [
    ['1', 90_000_000, 'COPY base'],
    ['2', 4_000_000, 'RUN old'],
  ],
  config: { Env: ['PATH=/bin', 'CHANNEL=a=b'], Labels: { version: 'v1', same: 's' }, Cmd: ['/sbin/init'], User: '' },
});
const two = image('b', {
  layers: [
    ['1', 90_000_000, 'COPY base'],
    ['3', 7_000_000, 'RUN new\n  and more'],
  ],
  config: { Env: ['PATH=/bin', 'NEW=1'], Labels: { version: 'v2', same: 's' }, Cmd: ['/sbin/init', '-v'], User: '' },
  annotations: { made: 'today' },
});
const R = 'quay.io/acme/edge';
const compare = (from: PlatformImage[], to: PlatformImage[]) =>
  imageDiff({ reference: `${R}:v1`, images: from }, { reference: `${R}:v2`, images: to });

const shown = (from: PlatformImage[], to: PlatformImage[]) =>
  renderDiff(
    releaseDiff(
      { reference: `${R}:v1`, images: from, record: null },
      { reference: `${R}:v2`, images: to, record: null },
    ),
    false,
  );

describe('the difference between two images', () => {
  it('is their layers, sizes and configuration', () => {
    const diff = compare([one], [two]);
    expect(ImageDiff.parse(diff)).toEqual(diff);
    expect(diff).toEqual({
      schemaVersion: 1,
      from: `${R}:v1`,
      to: `${R}:v2`,
      onlyFrom: [],
      onlyTo: [],
      platforms: [
        {
          platform: 'linux/amd64',
          from: digest('a'),
          to: digest('b'),
          update: { bytes: 7_001_500, layers: 1, of: 2 },
          size: { from: 94_000_000, to: 97_000_000 },
          layers: {
            shared: 1,
            removed: [{ digest: digest('2'), size: 4_000_000, createdBy: 'RUN old' }],
            added: [{ digest: digest('3'), size: 7_000_000, createdBy: 'RUN new\n  and more' }],
          },
          configuration: [
            { key: 'Annotations.made', from: null, to: 'today' },
            { key: 'Cmd', from: '["/sbin/init"]', to: '["/sbin/init","-v"]' },
            { key: 'Env.CHANNEL', from: 'a=b', to: null },
            { key: 'Env.NEW', from: null, to: '1' },
            { key: 'Labels.version', from: 'v1', to: 'v2' },
          ],
          packages: null,
        },
      ],
    });
  });

  it('is shown in lines', () => {
    expect(shown([one], [two])).toEqual([
      `${R}:v1 → ${R}:v2`,
      'linux/amd64',
      `  ${digest('a')} → ${digest('b')}`,
      '  an update fetches 7.0 MB (1 of 2 layers)',
      '  size: 94 MB → 97 MB',
      '  layers: 1 the same, 1 gone, 1 new',
      '    -  4.0 MB  sha256:222222222222  RUN old',
      '    +  7.0 MB  sha256:333333333333  RUN new and more',
      '  configuration:',
      '    Annotations.made',
      '      + today',
      '    Cmd',
      '      - ["/sbin/init"]',
      '      + ["/sbin/init","-v"]',
      '    Env.CHANNEL',
      '      - a=b',
      '    Env.NEW',
      '      + 1',
      '    Labels.version',
      '      - v1',
      '      + v2',
    ]);
    expect(shown([one], [one])).toEqual([`${R}:v1 → ${R}:v2`, `linux/amd64: the same image ${digest('a')}`]);
  });

  it('is told for each platform', () => {
    const arm = image('d', { layers: [['4', 1, 'COPY']], platform: 'linux/arm64' });
    const diff = compare([one, arm], [two]);
    expect(diff.platforms.map(({ platform }) => platform)).toEqual(['linux/amd64']);
    expect(diff).toMatchObject({ onlyFrom: ['linux/arm64'], onlyTo: [] });
    expect(shown([one, arm], [two]).at(-1)).toBe('linux/arm64: gone');
    expect(shown([two], [one, arm]).at(-1)).toBe('linux/arm64: new');
  });

  it('names no instruction where the history is of other layers', () => {
    const squashed = { ...two, configuration: { ...two.configuration, history: [{ created_by: 'all' }] } };
    const [layers] = compare([one], [squashed]).platforms.map((platform) => platform.layers);
    expect(layers!.added).toEqual([{ digest: digest('3'), size: 7_000_000, createdBy: null }]);
  });
});
