/**
 * Notes: small JSON files in which a host remembers what it did. A crash or a power cut leaves the former note or the
 * new one, never part of one. Libraries that replace a file (write-file-atomic) do not sync its directory.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { z } from 'zod';

/**
 * The note in a file; `undefined` when the file does not exist.
 *
 * @param damaged the result for a file with other content; by default as if there were none
 * @throws when the file cannot be read for another reason
 */
export async function readNote<Schema extends z.ZodType, Damaged = undefined>(
  path: string,
  schema: Schema,
  damaged?: Damaged,
): Promise<z.infer<Schema> | Damaged | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return damaged;
  }
}

/** Writes a note, readable by its owner only, and waits until the disk has it. The directory must exist. */
export async function writeNote<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  note: z.infer<Schema>,
): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, textOf(schema, note), { mode: 0o600, flag: 'wx', flush: true });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** The same, synchronously, so that the note is written even if the process is killed next. */
export function writeNoteSync<Schema extends z.ZodType>(path: string, schema: Schema, note: z.infer<Schema>): void {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, textOf(schema, note), { mode: 0o600, flag: 'wx', flush: true });
    renameSync(draft, path);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function textOf<Schema extends z.ZodType>(schema: Schema, note: z.infer<Schema>): string {
  return `${JSON.stringify(schema.parse(note))}\n`;
}
