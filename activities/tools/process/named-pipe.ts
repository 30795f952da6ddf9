/** A named pipe for output of a program that must stay apart from its standard streams. */
import { closeSync, constants, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Milliseconds to wait for what the program has left in the pipe. */
const REST = 5_000;

/**
 * Opens a pipe that is there, and calls `onLine` for each line that is written to it.
 *
 * @returns what ends it once the program has ended: it answers when every line was read, and the pipe is gone
 */
export function openNamedPipe(path: string, onLine: (line: string) => void): () => Promise<void> {
  const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // While one writer is there, the pipe does not end before the program has opened it.
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
