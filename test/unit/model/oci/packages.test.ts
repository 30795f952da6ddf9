import { describe, expect, it } from 'vitest';
import { markdownDiff, renderDiff } from '../../../../client/view/diff.ts';
import type { PlatformImage } from '../../../../model/oci/image-diff.ts';
import { packageDiff, packagesIn, type Package } from '../../../../model/oci/packages.ts';
import { releaseDiff } from '../../../../model/documents/release-diff.ts';

const rpm = (name: string, version: string, architecture = 'x86_64'): Package => ({ name, version, architecture });

describe('the packages in a bill of materials', () => {
  const locator = 'pkg:deb/debian/bash@5.2-1?arch=amd64&distro=debian-13';
  it.each([
    [
      'SPDX',
      {
        spdxVersion: 'SPDX-2.3',
        packages: [
          {
            name: 'bash',
            versionInfo: '5.2-1',
            externalRefs: [{ referenceLocator: 'cpe:2.3:a:bash' }, { referenceLocator: locator }],
          },
          { name: 'express', versionInfo: '4', externalRefs: [{ referenceLocator: 'pkg:npm/express@4' }] },
          { name: 'the image' },
        ],
      },
    ],
    [
      'CycloneDX',
      {
        bomFormat: 'CycloneDX',
        components: [{ name: 'bash', version: '5.2-1', purl: locator }, { name: 'a file' }],
      },
    ],
  ])('of %s are those of rpm and dpkg', (_, bill) => {
    expect(packagesIn(bill)).toEqual([{ name: 'bash', version: '5.2-1', architecture: 'amd64' }]);
  });

  it.each([null, 'text', {}, { spdxVersion: 'SPDX-3.0', '@graph': [] }])('are not known from %j', (bill) => {
    expect(packagesIn(bill)).toBeNull();
  });
});

describe('what differs between packages', () => {
  it.each([
    ['an update', [rpm('a', '1')], [rpm('a', '2')], { changed: [{ name: 'a', from: '1', to: '2' }] }],
    ['a new one', [], [rpm('a', '1')], { added: [{ name: 'a', version: '1' }] }],
    ['one that is gone', [rpm('a', '1')], [], { removed: [{ name: 'a', version: '1' }] }],
    ['nothing', [rpm('a', '1'), rpm('b', '2')], [rpm('b', '2'), rpm('a', '1')], {}],
    [
      'one of two architectures',
      [rpm('a', '1'), rpm('a', '1', 'i686')],
      [rpm('a', '1'), rpm('a', '2', 'i686')],
      { changed: [{ name: 'a.i686', from: '1', to: '2' }] },
    ],
    [
      'one of two kernels',
      [rpm('kernel-core', '6.1'), rpm('kernel-core', '6.2')],
      [rpm('kernel-core', '6.2'), rpm('kernel-core', '6.3')],
      {
        changed: [{ name: 'kernel-core', from: '6.1', to: '6.3' }],
        kernel: { from: '6.1, 6.2', to: '6.2, 6.3' },
      },
    ],
    [
      'a second version beside the first',
      [rpm('a', '1')],
      [rpm('a', '1'), rpm('a', '2')],
      { added: [{ name: 'a', version: '2' }] },
    ],
    [
      'a kernel of Debian, whose name has its version',
      [rpm('linux-image-6.1.0-9-amd64', '6.1.27'), rpm('linux-image-amd64', '6.1+1')],
      [rpm('linux-image-6.12.0-1-amd64', '6.12.3'), rpm('linux-image-amd64', '6.12+1')],
      {
        changed: [{ name: 'linux-image-amd64', from: '6.1+1', to: '6.12+1' }],
        removed: [{ name: 'linux-image-6.1.0-9-amd64', version: '6.1.27' }],
        added: [{ name: 'linux-image-6.12.0-1-amd64', version: '6.12.3' }],
        kernel: { from: '6.1.27', to: '6.12.3' },
      },
    ],
  ])('is %s', (_, before, next, expected) => {
    const nothing = { added: [], removed: [], changed: [], kernel: { from: null, to: null } };
    expect(packageDiff(before, next)).toEqual({ ...nothing, ...expected });
  });
});

describe('in words', () => {
  const digest = (name: string) => `sha256:${name.repeat(64)}`;
  const image = (name: string, packages: Package[] | null): PlatformImage => ({
    platform: 'linux/amd64',
    image: { digest: digest(name), size: 1, manifest: { schemaVersion: 2, layers: [] } },
    configuration: { os: 'linux', architecture: 'amd64' },
    packages,
  });
  const compare = (before: Package[] | null, next: Package[] | null) =>
    releaseDiff(
      { reference: 'q.io/a/b:v1', images: [image('a', before)], record: null },
      { reference: 'q.io/a/b:v2', images: [image('b', next)], record: null },
    );
  const diff = compare(
    [rpm('kernel-core', '6.1'), rpm('vim', '9'), rpm('a_b', '1')],
    [rpm('kernel-core', '6.2'), rpm('|x|', '1'), rpm('a_b', '1')],
  );

  it('is told on a terminal, the kernel first', () => {
    const lines = renderDiff(diff, false).map((line) => line.trimEnd());
    const at = lines.indexOf('  kernel: 6.1 → 6.2');
    expect(lines.slice(at, at + 5)).toEqual([
      '  kernel: 6.1 → 6.2',
      '  packages: 1 changed, 1 gone, 1 new',
      '       kernel-core  6.1 → 6.2',
      '    -  vim          9',
      '    +  |x|          1',
    ]);
  });

  it('is a release note in Markdown, and nothing of an image becomes markup', () => {
    expect(markdownDiff(diff)).toEqual([
      '## q.io/a/b:v1 → q.io/a/b:v2',
      '',
      '### linux/amd64',
      '',
      `- image: \`${digest('a')}\` → \`${digest('b')}\``,
      expect.stringMatching(/^- an update fetches /),
      expect.stringMatching(/^- size: /),
      '- kernel: 6.1 → 6.2',
      '- packages: 1 changed, 1 gone, 1 new',
      '',
      '| package | before | now |',
      '| --- | --- | --- |',
      '| kernel-core | 6.1 | 6.2 |',
      '| vim | 9 |  |',
      String.raw`| \|x\| |  | 1 |`,
    ]);
  });

  it('says nothing of packages where an image has no list', () => {
    const unknown = compare(null, [rpm('a', '1')]);
    expect(unknown.platforms[0]!.packages).toBeNull();
    expect(renderDiff(unknown, false).join()).not.toContain('packages');
    expect(markdownDiff(unknown).join()).not.toContain('packages');
  });
});
