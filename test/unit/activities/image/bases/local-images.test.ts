import { describe, expect, it, test } from 'vitest';
import { cachedImages, orphanedNames, namesOfRelease } from '../../../../../activities/image/bases/local-images.ts';
import type { ListedImage } from '../../../../../activities/tools/podman/images.ts';
import { isPrivateImage, privateImageName } from '../../../../../activities/tools/podman/build.ts';
import { releaseKey } from '../../../../../model/release/inputs.ts';

const installation = 'one';
const release = 'release/r.example:5000/os:v1';
const key = releaseKey(release);
const built = `localhost/flightline/one/${key}:aaaa`;
const secret = `${built}-0123456789abcdef`;
const digest = 'r.example:5000/os@sha256:dddd';
const published = 'r.example:5000/os:v1';

const image = (names: string[], formerNames: string[] = [], more: Partial<ListedImage> = {}): ListedImage => ({
  id: 'id',
  names,
  formerNames,
  labels: {},
  created: 1,
  ...more,
});

describe('namesOfRelease', () => {
  it.each<[string, ListedImage, string[], boolean]>([
    ['built, pulled and given to the builder', image([built, digest, published]), [built, published, digest], false],
    ['built only', image([built]), [built], false],
    ['pulled only', image([digest, published]), [published, digest], true],
    ['pulled, with a name of somebody else', image([digest, published, 'x:1']), [published, digest], false],
    [
      'pulled, built by another release before',
      image([digest, published], ['localhost/flightline/two/k:b']),
      [published, digest],
      false,
    ],
    ["a person's own", image([published]), [], false],
    ['another tag of the repository', image(['r.example:5000/os:v2', digest]), [], false],
    ['a repository that begins alike', image(['r.example:5000/os-x:v1', 'r.example:5000/os-x@sha256:dddd']), [], false],
    ["another installation's", image([`localhost/flightline/two/${key}:aaaa`]), [], false],
    ["another release's", image(['localhost/flightline/one/0123456789abcdef:aaaa']), [], false],
    ['without a name', image([], [built, published]), [], false],
    ['built with a secret', image([secret, digest, published]), [secret, published, digest], true],
    ['built with a secret, with a name of somebody else', image([secret, 'x:1']), [secret], false],
  ])('%s', (_, one, names, remove) => {
    const expected = names.length > 0 ? [{ id: 'id', names, remove }] : [];
    expect(namesOfRelease([one], installation, release)).toEqual(expected);
  });
});

test.each<[string, ListedImage[], string[][]]>([
  [
    'with it',
    [image([digest, published, 'r.example:5000/os:nightly'])],
    [[published, 'r.example:5000/os:nightly', digest]],
  ],
  ['whose name another has', [image([digest, published])], [[published, digest]]],
  ["another release's", [image([digest, 'r.example:5000/os:nightly'])], []],
  ["a person's own", [image(['r.example:5000/os:nightly'])], []],
  ['that is its own tag', [image([digest, published])], [[published, digest]]],
])('the name that machines follow: an image %s', (what, images, names) => {
  const origin = what === 'that is its own tag' ? published : 'r.example:5000/os:nightly';
  expect(namesOfRelease(images, installation, release, origin).map((one) => one.names)).toEqual(names);
});

describe('an image with a secret', () => {
  // A clean-up was killed between untagging and removing, or another image took the name.
  const nameless = { id: 'id', names: [], remove: true };

  it('is removed also without a name', () => {
    expect(namesOfRelease([image([], [secret])], installation, release)).toEqual([nameless]);
    expect(namesOfRelease([image([], [secret])], installation, 'release/r.example:5000/other:v1')).toEqual([]);
    expect(orphanedNames([image([], [secret])], installation, new Set())).toEqual([nameless]);
    expect(orphanedNames([image([], [secret])], installation, new Set([key]))).toEqual([]);
    expect(orphanedNames([image([], [built])], installation, new Set())).toEqual([]);
  });

  it('goes with the last of its names', () => {
    expect(orphanedNames([image([secret])], installation, new Set())).toEqual([{ ...nameless, names: [secret] }]);
    const named = { id: 'id', names: [secret], remove: false };
    expect(orphanedNames([image([secret, 'x:1'])], installation, new Set())).toEqual([named]);
  });

  it('is told by a name that only its run gives', () => {
    expect(
      [secret, privateImageName(installation, release, `sha256:${'a'.repeat(64)}`, 'run')].map(isPrivateImage),
    ).toEqual([true, true]);
    const [one, two] = ['run-1', 'run-2'].map((run) => privateImageName(installation, release, 'sha256:aa', run));
    expect(one).not.toBe(two);
    expect([built, 'quay.io/a/b:c-d', digest].map(isPrivateImage)).toEqual([false, false, false]);
  });
});

describe('the janitor and images', () => {
  it.each<[string, ListedImage, string[]]>([
    ['of a release with a lease', image([built]), []],
    [
      'of a release without one',
      image(['localhost/flightline/one/gone:aaaa', 'x:1']),
      ['localhost/flightline/one/gone:aaaa'],
    ],
    ['of another installation', image(['localhost/flightline/two/gone:aaaa']), []],
    ['of nobody', image(['quay.io/a/b:1']), []],
  ])('orphaned: an image %s', (_, one, names) => {
    const found = orphanedNames([one], installation, new Set([key]));
    expect(found.flatMap((unnaming) => unnaming.names)).toEqual(names);
  });

  it('takes the oldest of what it built and nobody names', () => {
    const former = ['localhost/flightline/one/gone:aaaa'];
    const images = [
      image([], former, { id: 'young', created: 3 }),
      image([], former, { id: 'old', created: 2 }),
      image(['x:1'], former, { id: 'named', created: 1 }),
      image([], [built], { id: 'leased', created: 1 }),
      image([], ['localhost/flightline/two/gone:aaaa'], { id: 'foreign', created: 1 }),
      image([], [], { id: 'nobody', created: 1 }),
    ];
    expect(cachedImages(images, installation, new Set([key])).map((one) => one.id)).toEqual(['old', 'young']);
  });
});
