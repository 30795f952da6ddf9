import { expect, test } from 'vitest';
import type { PushInput, RechunkInput } from '../../model/contract/build.ts';
import { digestOf, idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';

const house = useHouse('rechunk');

test('an image with other layers is what is pushed, and is made once', async () => {
  const { standIns, start, until, retry } = house();
  const rechunk = { image: 'registry.example/chunkah:1', tool: 'chunkah', maxLayers: 96 } as const;
  const request = requestFor('rechunked', { disks: {}, rechunk, alsoTag: ['latest'] });
  const release = idOf(request);
  const rechunker = { reference: rechunk.image, digest: digestOf('chunkah') };
  let fixed = false;
  standIns.behave(release, {
    resolve: (_, { ordinary }) => ({ ...ordinary(), rechunker }),
    rechunk: (_, { ordinary }) => {
      if (!fixed) throw failed('rechunk', 'exit status 1');
      return ordinary();
    },
    push: (_, { attempt, ordinary }) => {
      if (attempt === 1) throw failed('registry', 'gone for a moment');
      return ordinary();
    },
  });
  const handle = await start(request);
  const held = await until(handle, 'held', ({ status }) => status === 'held');
  expect(held.failure).toMatchObject({ kind: 'rechunk', stage: 'rechunk' });
  fixed = true;
  expect(await retry(handle)).toEqual({ resumed: ['image'] });
  const record = await handle.result();
  expect(record.inputs).toMatchObject({ rechunker });
  const rows = record.stages.slice(0, 4).map(({ name, status }) => `${name} ${status}`);
  expect(rows).toEqual(['resolve done', 'build done', 'rechunk done', 'push done']);
  const built = standIns.callsOf(release, 'rechunk').map(({ input }) => input as RechunkInput);
  expect(built).toHaveLength(2);
  expect(built[1]).toMatchObject({
    rechunker,
    tool: 'chunkah',
    maxLayers: 96,
    follows: 'latest',
    architecture: 'amd64',
  });
  const pushed = standIns.callsOf(release, 'push').map(({ input }) => (input as PushInput).imageId);
  expect(new Set(pushed)).toEqual(new Set([digestOf(`rechunked ${built[0]!.imageId}`).slice(7)]));
  expect(standIns.callsOf(release, 'build')).toHaveLength(1);
});
