import { expect, test } from 'vitest';
import { updateOrigin } from '../../../../model/oci/update-origin.ts';

test.each<[string, Parameters<typeof updateOrigin>[0], string, boolean]>([
  ['a tag of its own', { tag: 'v1', alsoTag: [] }, 'v1', false],
  ['a tag that may move', { tag: 'latest', alsoTag: [], tagPolicy: 'move' }, 'latest', true],
  ['a tag of the night', { tag: 'nightly-{{date}}', alsoTag: [] }, 'nightly-{{date}}', false],
  ['which may be made twice', { tag: 'n-{{date}}', alsoTag: [], tagPolicy: 'move' }, 'n-{{date}}', false],
  ['a further tag', { tag: 'nightly-{{date}}', alsoTag: ['nightly'] }, 'nightly', true],
  ['the first that moves', { tag: 'v1.2', alsoTag: ['{{commit}}', 'v1', 'latest'] }, 'v1', true],
  ['none that moves', { tag: 'v1.2', alsoTag: ['{{commit}}'] }, 'v1.2', false],
  ["a promotion's", { tag: 'n-{{date}}', alsoTag: ['nightly'], updateFrom: 'stable' }, 'stable', true],
  ['its own, asked for', { tag: 'v1', alsoTag: ['latest'], updateFrom: 'v1' }, 'v1', false],
  ['a template, asked for', { tag: 'v1', alsoTag: ['latest'], updateFrom: '{{date}}' }, '{{date}}', false],
  ['a tag of its own that others move', { tag: 'latest', alsoTag: ['latest'] }, 'latest', true],
])('%s', (_, image, tag, moves) => expect(updateOrigin(image)).toEqual({ tag, moves }));
