import fs from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { readNote, writeNote, writeNoteSync } from '../../../../activities/tools/note.ts';

const Note = z.object({ name: z.string() });

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-note-'));
  path = join(directory, 'note.json');
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe.each([
  ['written', writeNote],
  ['written at once', (...of: Parameters<typeof writeNote>) => Promise.resolve().then(() => writeNoteSync(...of))],
])('a note that is %s', (_, write) => {
  it('is read as it was written, last one last, by its owner alone', async () => {
    await write(path, Note, { name: 'one' });
    await write(path, Note, { name: 'two' });
    expect(await readNote(path, Note)).toEqual({ name: 'two' });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(['note.json']);
  });

  it('is on the disk before it takes its place, and its name before it is told', async () => {
    // A power cut cannot be had here: what counts is that file and directory are synced.
    const handle = await open(directory);
    const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
    await handle.close();
    const order: string[] = [];
    const noted = (what: string) => () => void order.push(what);
    vi.spyOn(prototype, 'sync').mockImplementation(async () => noted('sync')());
    vi.spyOn(fs, 'fsyncSync').mockImplementation(noted('sync'));
    syncBuiltinESMExports();
    try {
      await write(path, Note, { name: 'one' });
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
    expect(order).toEqual(['sync', 'sync']);
  });

  it('of another shape is refused, and the former one stays', async () => {
    await write(path, Note, { name: 'one' });
    await expect(write(path, Note, { name: 2 } as never)).rejects.toThrow(z.ZodError);
    expect(await readNote(path, Note)).toEqual({ name: 'one' });
  });

  it('that cannot take its place leaves nothing behind', async () => {
    await expect(write(join(directory, 'none', 'note.json'), Note, { name: 'one' })).rejects.toThrow('ENOENT');
    expect(await readdir(directory)).toEqual([]);
  });

  it('is whole for whoever reads while it is written again and again', async () => {
    await write(path, Note, { name: 'x' });
    const writing = Promise.all(
      Array.from({ length: 20 }, (__, index) => write(path, Note, { name: 'x'.repeat(index * 999) })),
    );
    const seen = await Promise.all(Array.from({ length: 50 }, () => readFile(path, 'utf8')));
    await writing;
    for (const text of seen) expect(Note.safeParse(JSON.parse(text)).success).toBe(true);
  });
});

it.each([
  ['an empty file', ''],
  ['part of a note', '{"name":"o'],
  ['another note', '{"title":"one"}'],
])('%s is damaged, and none where nobody asks', async (_, text) => {
  await writeFile(path, text);
  expect(await readNote(path, Note)).toBeUndefined();
  expect(await readNote(path, Note, 'damaged' as const)).toBe('damaged');
});

it('there is none where there is no file, and a file that cannot be read is an error', async () => {
  expect(await readNote(path, Note, 'damaged' as const)).toBeUndefined();
  await expect(readNote(directory, Note)).rejects.toThrow('EISDIR');
});
