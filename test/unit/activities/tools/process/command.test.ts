import { describe, expect, it } from 'vitest';
import { CommandError, runCommand } from '../../../../../activities/tools/process/command.ts';
import { endingTask, runTask, type Task } from '../../../../../activities/tools/process/task.ts';

describe('a program that is watched for a stall', () => {
  it('is ended when it neither reads nor writes', async () => {
    const error = await runCommand('sleep', ['60'], { stall: 400 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ timedOut: true, message: expect.stringContaining('did not end in time') });
  });

  it('goes on while it does, however little it says', async () => {
    // 256 KiB every 40 ms, for twice as long as a stall.
    const script =
      "const read = () => require('node:fs').createReadStream('/dev/zero', { end: 262143 }).resume();" +
      'const timer = setInterval(read, 40); setTimeout(() => clearInterval(timer), 3000);';
    await expect(runCommand(process.execPath, ['-e', script], { stall: 1_500 })).resolves.toMatchObject({
      exitCode: 0,
    });
  }, 20_000);
});

describe('a program that is ended because it has done its part', () => {
  it('is no error, however it ends', async () => {
    const over = new AbortController();
    const running = runCommand('sleep', ['60'], { end: over.signal });
    setTimeout(() => over.abort(), 50);
    expect(await running).toMatchObject({ exitCode: 0 });
    // One that is over before it begins.
    expect(await runCommand('sleep', ['60'], { end: over.signal })).toMatchObject({ exitCode: 0 });
  });

  it('is one when it fails by itself before', async () => {
    const over = new AbortController();
    await expect(runCommand('sleep', ['nonsense'], { end: over.signal })).rejects.toMatchObject({ exitCode: 1 });
  });
});

describe('a program of a task that another one ends', () => {
  const task = { signal: new AbortController().signal, throwIfCancelled: () => undefined, report: () => undefined };

  it('is ended, and the reason is thrown', async () => {
    const end = new AbortController();
    const ending = endingTask(task as unknown as Task, end.signal);
    const running = runTask(ending, () => runCommand('sleep', ['60']));
    setTimeout(() => end.abort(new Error('no longer needed')), 50);
    await expect(running).rejects.toThrow('no longer needed');
    await expect(runTask(ending, () => runCommand('true', []))).rejects.toThrow('no longer needed');
  });

  it('ends as before when nothing happens', async () => {
    const ending = endingTask(task as unknown as Task, new AbortController().signal);
    await expect(runTask(ending, () => runCommand('true', []))).resolves.toMatchObject({ exitCode: 0 });
  });
});
