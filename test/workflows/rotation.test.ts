/** A key rotation: it looks at every page, signs until nothing is left, and tells what it has looked at last. */
import { expect, test } from 'vitest';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import {
  ROTATION_REPORT_QUERY,
  ROTATION_WORKFLOW,
  rotationId,
  type RotationReport,
  type RotationRequest,
} from '../../model/tags/rotation.ts';
import { requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed, type Behaviour } from './stand-ins.ts';

const house = useHouse('rotation');

/** Begins one whose tags are signed by `signed` steps of the sign worker, and says what was asked of that. */
async function rotate(name: string, { steps = [0], dryRun = false, behaviour = {} as Behaviour } = {}) {
  const { client, standIns } = house();
  const { repository, timing } = requestFor(name);
  const release = rotationId(repository);
  let done = 0;
  standIns.behave(release, {
    planRotation: ({ from }) => {
      const reason = done < steps.length ? ('unsigned' as const) : ('signed' as const);
      // Two pages, which tell of the same reason.
      if (from === 0) return { attempts: 1, groups: [{ reason, tags: ['v2', 'stable'] }], next: 100 };
      return {
        attempts: 1,
        groups: [
          { reason, tags: ['v1'] },
          { reason: 'foreign', tags: ['by-hand'] },
        ],
        next: null,
      };
    },
    rotateKeys: () => ({ attempts: 1, left: steps[done++]! }),
    ...behaviour,
  });
  const request: RotationRequest = {
    schemaVersion: 1,
    repository,
    recordRepository: `${repository}/release`,
    oldKey: 'old',
    newKey: 'new',
    keepLast: null,
    dryRun,
    timing,
  };
  const handle = await client.workflow.start(ROTATION_WORKFLOW, {
    workflowId: release,
    taskQueue: CONTROL_QUEUE,
    args: [request],
  });
  const asked = () => standIns.callsOf(release, 'planRotation', 'rotateKeys').map(({ activity }) => activity);
  return { handle, asked, report: () => handle.query<RotationReport>(ROTATION_REPORT_QUERY) };
}

const look = ['planRotation', 'planRotation'];

test('signs in as many steps as it takes, and reports how all tags stand then', async () => {
  const { handle, asked, report } = await rotate('stepwise', { steps: [40, 12, 0] });
  expect(await handle.result()).toEqual({ complete: true });
  expect(asked()).toEqual([...look, 'rotateKeys', 'rotateKeys', 'rotateKeys', ...look]);
  expect(await report()).toMatchObject({
    complete: true,
    oldKey: 'old',
    newKey: 'new',
    tags: [
      { reason: 'signed', tags: ['v2', 'stable', 'v1'] },
      { reason: 'foreign', tags: ['by-hand'] },
    ],
  });
});

test('of a dry run looks, and signs nothing', async () => {
  const { handle, asked, report } = await rotate('dry', { dryRun: true });
  expect(await handle.result()).toEqual({ complete: false });
  expect(asked()).toEqual(look);
  expect((await report()).tags[0]).toEqual({ reason: 'unsigned', tags: ['v2', 'stable', 'v1'] });
});

test('looks once where nothing is to be signed', async () => {
  const { handle, asked } = await rotate('nothing', { steps: [] });
  expect(await handle.result()).toEqual({ complete: true });
  expect(asked()).toEqual(look);
});

test('ends when more is left than before: others release meanwhile', async () => {
  const { handle, asked } = await rotate('growing', { steps: [5, 9, 9, 9] });
  expect(await handle.result()).toEqual({ complete: false });
  expect(asked()).toEqual([...look, 'rotateKeys', 'rotateKeys', ...look]);
});

test('fails with the words of what failed', async () => {
  const behaviour: Behaviour = {
    rotateKeys: () => {
      throw failed('key-missing', 'the sign worker has no key "new"');
    },
  };
  const { handle } = await rotate('no-key', { behaviour });
  await expect(handle.result()).rejects.toMatchObject({
    cause: { type: 'key-missing', message: expect.stringContaining('no key "new"') },
  });
});
