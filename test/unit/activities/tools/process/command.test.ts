import { describe, expect, it } from 'vitest';
import { CommandError, runCommand } from '../../../../../activities/tools/process/command.ts';

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
