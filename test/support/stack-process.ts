/**
 * A stack in a process of its own, to be killed: `tsx stack-process.ts DIRECTORY`. Prints its processes when it is up.
 */
import { join } from 'node:path';
import { startStack } from '../../workers/stack/start.ts';

const stack = await startStack({
  directory: process.argv[2]!,
  workerCommand: (role, file) => [process.execPath, join(import.meta.dirname, 'idle-worker.mjs'), role, file],
});
console.log(JSON.stringify({ children: stack.children(), environment: stack.environment, registry: stack.registry }));
