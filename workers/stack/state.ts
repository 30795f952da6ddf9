/**
 * DIR/stack.json: what an embedded stack keeps from one start to the next, so that names stay and leftovers are found.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeNoteSync } from '../../activities/tools/note.ts';
import { FlightlineError } from '../../model/failure/failure.ts';

const Port = z.number().int().min(1).max(65_535);

/** A process of the stack, with its start time since pids are reused (activities/tools/process/process-identity.ts). */
const ChildState = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  started: z.string(),
});
export type ChildState = z.infer<typeof ChildState>;

const StackState = z.object({
  version: z.literal(1),
  /** Chosen once: release names contain the registry's address. */
  ports: z.object({ temporal: Port, ui: Port, registry: Port }),
  /** Processes that were running when this was written. */
  children: z.array(ChildState),
});
type StackState = z.infer<typeof StackState>;
export type StackPorts = StackState['ports'];

/** Path of the file in a stack's directory. */
export function stateFile(directory: string): string {
  return join(directory, 'stack.json');
}

/**
 * Reads what an earlier start left; `undefined` when there was none.
 *
 * @throws FlightlineError `invalid-input` when the file is damaged.
 */
export function readState(directory: string): StackState | undefined {
  const file = stateFile(directory);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = parseState(text);
  if (parsed) return parsed;
  throw new FlightlineError('invalid-input', `${file} is damaged: the stack's ports and processes cannot be read`, {
    remedy: `remove ${file}; new ports are chosen, and processes of an earlier stack must be ended by hand`,
  });
}

/** Pure part of {@link readState}. */
function parseState(text: string): StackState | undefined {
  try {
    return StackState.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Writes the file whole. Synchronous: a child must be noted before anything can end this process. */
export function writeState(directory: string, state: StackState): void {
  writeNoteSync(stateFile(directory), StackState, state);
}
