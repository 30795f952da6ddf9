/** What is in the file that `npm pack` makes, and what is not. */
import { execa } from 'execa';
import { beforeAll, expect, it } from 'vitest';
import { ROOT } from '../support/flightline.ts';

interface Packed {
  files: { path: string; size: number }[];
  /** Bytes. */
  size: number;
  unpackedSize: number;
}

let packed: Packed;
let paths: string[];
beforeAll(async () => {
  // Built already; prepack would build again.
  const { stdout } = await execa('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT });
  [packed] = JSON.parse(stdout) as [Packed];
  // prepack makes it.
  paths = packed.files.map(({ path }) => path).filter((path) => path !== 'npm-shrinkwrap.json');
});

it('is what runs, what it is set up with, and what is read', () => {
  expect(new Set(paths.map((path) => path.split('/')[0]))).toEqual(
    new Set([
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'deploy',
      'dist',
      'docs',
      'examples',
      'package.json',
      'schemas',
    ]),
  );
  const needed = [
    'deploy/Containerfile',
    'deploy/systemd/flightline-sign.service',
    'dist/THIRD-PARTY.md',
    'dist/client/main.js',
    // By it the traces of errors name sources.
    'dist/client/main.js.map',
    'dist/man/flightline-run.1',
    'dist/workflow-bundle.cjs',
    'dist/workflow-bundle-traced.cjs',
    'examples/debian/flightline.yaml',
    'schemas/flightline.schema.json',
  ];
  expect(needed.filter((path) => !paths.includes(path))).toEqual([]);
});

it.each([
  ['sources', /\.[cm]?tsx?$/],
  ['tests', /(?:^|\/)tests?\/|\.test\./],
  ['native parts', /\.node$|\.so(?:\.|$)|\.dylib$|\.dll$|\.wasm$/],
  ['what only a clone runs', /^dist\/scripts\//],
  ['stamps of a build, and packed files', /stamp$|\.tgz$/],
  ['keys, environments and what a stack left', /\.key$|\.pem$|(?:^|\/)\.env|\.flightline/],
])('holds no %s', (_, what) => expect(paths.filter((path) => what.test(path))).toEqual([]));

it('stays small', () => {
  expect(packed.size).toBeLessThan(4_200_000);
  expect(packed.unpackedSize).toBeLessThan(20_000_000);
});
