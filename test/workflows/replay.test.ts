import { readdirSync, readFileSync } from 'node:fs';
import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { installQuietRuntime } from './server.ts';

const HISTORIES = new URL('../histories/', import.meta.url);
const files = readdirSync(HISTORIES).filter((name) => name.endsWith('.json'));

/** A recorded history, as the Temporal CLI prints it. */
interface Recorded {
  workflowId: string;
  history: { events: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[] };
}

const read = (file: string) => JSON.parse(readFileSync(new URL(file, HISTORIES), 'utf8')) as Recorded;

describe('a recorded history', () => {
  beforeAll(installQuietRuntime);
  const replay = ({ workflowId, history }: Recorded) =>
    Worker.runReplayHistory({ workflowBundle: { codePath: inject('workflowBundle') } }, history, workflowId);

  test('is there for each way a release can go', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'released.json',
        'held-and-fixed.json',
        'host-lost.json',
        'boot-tested.json',
        'logs-kept.json',
        'made-when-changed.json',
        'cancelled.json',
        'failed.json',
      ]),
    );
  });

  test.each(files)('%s is replayed by the workflows of today', async (file) => {
    await expect(replay(read(file))).resolves.toBeUndefined();
  });

  test('that differs from what the workflows do is noticed', async () => {
    const recorded = read('released.json');
    const build = recorded.history.events.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType.name === 'build',
    );
    build!.activityTaskScheduledEventAttributes!.activityType.name = 'push';
    await expect(replay(recorded)).rejects.toBeInstanceOf(DeterminismViolationError);
  });

  test.each(files)('%s names no path of the machine it was recorded on', (file) => {
    const text = readFileSync(new URL(file, HISTORIES), 'utf8');
    expect(text).not.toContain(process.cwd());
  });
});
