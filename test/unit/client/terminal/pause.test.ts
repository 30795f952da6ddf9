import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { Interrupted, interruptible } from '../../../../client/terminal/pause.ts';

it('work that may be interrupted leaves nothing at the signal, however it ends', async () => {
  const { signal } = new AbortController();
  await expect(interruptible(Promise.resolve('done'), signal)).resolves.toBe('done');
  await expect(interruptible(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});

it('work is given up when the signal is aborted, before or meanwhile', async () => {
  const controller = new AbortController();
  const waiting = interruptible(new Promise(() => undefined), controller.signal);
  controller.abort();
  await expect(waiting).rejects.toBeInstanceOf(Interrupted);
  await expect(interruptible(new Promise(() => undefined), controller.signal)).rejects.toBeInstanceOf(Interrupted);
});
