/**
 * Draining a host: while its work directory has a certain file, it grants no claims, and so empties. The file survives
 * restarts of the worker. Anybody with write access to the work directory may create it.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readNote, writeNote } from '../tools/note.ts';
import type { WorkDirectory } from './work-directory.ts';

/** Name of the file in the work directory. */
const FILE = 'draining.json';

const Draining = z.object({
  /** ISO 8601. */
  since: z.iso.datetime(),
  /** Why, as the operator wrote it. */
  comment: z.string().nullable(),
});
export type Draining = z.infer<typeof Draining>;

/** Since when the host has been drained, and why; null when it is not. A file with other content drains too. */
export async function drainingOf(work: Pick<WorkDirectory, 'path'>): Promise<Draining | null> {
  // `touch draining.json` is enough.
  const touched = { since: new Date(0).toISOString(), comment: null };
  return (await readNote(join(work.path, FILE), Draining, touched)) ?? null;
}

/** Begins to drain the host. One that is already being drained keeps its time. */
export async function beginDrain(
  work: Pick<WorkDirectory, 'path'>,
  comment: string | null,
  now = new Date(),
): Promise<Draining> {
  const before = await drainingOf(work);
  const draining = { since: before?.since ?? now.toISOString(), comment: comment ?? before?.comment ?? null };
  await writeNote(join(work.path, FILE), Draining, draining);
  return draining;
}

/** Ends draining. `false` when the host was not being drained. */
export async function endDrain(work: Pick<WorkDirectory, 'path'>): Promise<boolean> {
  const was = (await drainingOf(work)) !== null;
  await rm(join(work.path, FILE), { force: true });
  return was;
}

/** Why a drained host refuses a claim: `host-a is being drained (new kernel)`. */
export function drainingReason(host: string, draining: Pick<Draining, 'comment'>): string {
  return `${host} is being drained${draining.comment === null ? '' : ` (${draining.comment})`}`;
}
