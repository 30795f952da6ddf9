/**
 * Draining a host: a file in its work directory by which it makes no new promises, so that it empties (docs/operations.md). The
 * file outlives a restart of the worker; whoever may write to the work directory may put it there.
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ifMissing } from './space.ts';
import type { WorkDirectory } from './work-directory.ts';

/** Name of the file in the work directory. */
const FILE = 'draining.json';

const Draining = z.object({
  /** ISO 8601. */
  since: z.iso.datetime(),
  /** Why, in the words of whoever drains it. */
  comment: z.string().nullable(),
});
export type Draining = z.infer<typeof Draining>;

/** Since when the host is being drained, and why; null when it is not. A file that cannot be understood drains all the same. */
export async function drainingOf(work: Pick<WorkDirectory, 'path'>): Promise<Draining | null> {
  const text = await readFile(join(work.path, FILE), 'utf8').catch(ifMissing(undefined));
  if (text === undefined) return null;
  try {
    return Draining.parse(JSON.parse(text));
  } catch {
    // `touch draining.json` says clearly enough what is wanted.
    return { since: new Date(0).toISOString(), comment: null };
  }
}

/** Begins to drain the host; a host that is being drained keeps its first moment. */
export async function beginDrain(
  work: Pick<WorkDirectory, 'path'>,
  comment: string | null,
  now = new Date(),
): Promise<Draining> {
  const before = await drainingOf(work);
  const draining = { since: before?.since ?? now.toISOString(), comment: comment ?? before?.comment ?? null };
  const path = join(work.path, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(draining)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return draining;
}

/** Ends it. `false` when the host was not being drained. */
export async function endDrain(work: Pick<WorkDirectory, 'path'>): Promise<boolean> {
  const was = (await drainingOf(work)) !== null;
  await rm(join(work.path, FILE), { force: true });
  return was;
}

/** Why a host that is being drained refuses a claim: `host-a is being drained (new kernel)`. */
export function drainingReason(host: string, draining: Pick<Draining, 'comment'>): string {
  return `${host} is being drained${draining.comment === null ? '' : ` (${draining.comment})`}`;
}
