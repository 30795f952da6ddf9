/** A named pipe for output that must stay apart from a program's standard streams. */
import { closeSync, constants, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Milliseconds to wait for the rest of the pipe. */
const REST = 5_000;

/**
 * Opens an existing pipe, and calls `onLine` for each line that is written to it.
 *
 * @returns a function to call once the program has ended: it resolves when every line was read and the pipe is gone
 */
export function openNamedPipe(path: string, onLine: (line: string) => void): () => Promise<void> {
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // With a writer of ours, the pipe does not end before the program has opened it.
  const writing = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd: reading, readable: true, writable: false });
  socket.on('error', () => undefined);
  const lines = createInterface({ input: socket, crlfDelay: Infinity });
  lines.on('line', onLine);
  const ended = new Promise<void>((resolve) => lines.once('close', resolve));
  return async () => {
    closeSync(writing);
    const timer = setTimeout(() => socket.destroy(), REST);
    await ended;
    clearTimeout(timer);
    socket.destroy();
    await rm(path, { force: true });
  };
}
