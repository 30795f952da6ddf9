/** The files of a builder run on its host: output, container log, configuration, note of the result. */
import { lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { DISK_TYPE_NAMES, type DiskType } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { incompleteness } from './complete.ts';
import { readNote, writeNote } from '../tools/note.ts';
import { pickResult, type OutputEntry } from '../tools/builder/builder.ts';
import type { BuilderDriver } from '../tools/builder/driver.ts';

/** Paths of a builder run, all absolute. */
export interface DiskRun {
  /** `<release>/disks/<types>`, of this run alone. */
  directory: string;
  /** `/output` of the builder. */
  output: string;
  /** The container's log, as conmon writes it. */
  log: string;
  /** The builder configuration, of one of these formats. */
  config: { toml: string; json: string };
}

/** The note of a complete result, for the next attempt. */
const Result = z.object({
  inputs: z.string(),
  files: z.array(
    z.object({
      type: z.enum(DISK_TYPE_NAMES),
      path: z.string(),
      size: z.number().int().positive(),
      modified: z.number(),
    }),
  ),
});

/** A disk as built. */
export interface BuiltFile {
  type: DiskType;
  path: string;
  /** Bytes. */
  size: number;
}

/** The paths of a builder run below its release's directory. */
export function diskRun(releaseDirectory: string, types: readonly DiskType[]): DiskRun {
  const directory = join(releaseDirectory, 'disks', [...types].sort().join('+'));
  const at = (name: string) => join(directory, name);
  return {
    directory,
    output: at('output'),
    log: at('container.log'),
    config: { toml: at('config.toml'), json: at('config.json') },
  };
}

/** Begins a run. Removes all of an earlier one, whose disks could be taken for new ones. */
export async function emptyRun(run: DiskRun): Promise<void> {
  await rm(run.directory, { recursive: true, force: true });
  await mkdir(run.output, { recursive: true, mode: 0o700 });
}

/** Removes everything of a run. */
export async function removeRun(run: DiskRun): Promise<void> {
  await rm(run.directory, { recursive: true, force: true });
}

/** The files of an earlier attempt at the same inputs; null when there are none, or when they have changed. */
export async function readResult(run: DiskRun, inputs: string): Promise<BuiltFile[] | null> {
  const result = await readNote(noteFile(run), Result);
  if (result?.inputs !== inputs) return null;
  for (const file of result.files) {
    const facts = await lstat(file.path).catch(() => undefined);
    if (!facts?.isFile() || facts.size !== file.size || facts.mtimeMs !== file.modified) return null;
  }
  return result.files.map(({ type, path, size }) => ({ type, path, size }));
}

/**
 * Finds the files of a finished run and writes the note. Deletes the rest, which may hold passwords or their hashes:
 * the builder's manifests, its configuration, the container's log.
 *
 * @throws FlightlineError `builder` when a type's directory does not hold exactly one file, or the file is empty or
 * truncated.
 */
export async function takeResult(
  run: DiskRun,
  inputs: string,
  types: readonly DiskType[],
  { results }: Pick<BuilderDriver, 'results'>,
): Promise<BuiltFile[]> {
  for (const name of await manifests(run, results)) await rm(join(run.output, name), { force: true });
  const files: BuiltFile[] = [];
  for (const type of types) {
    const below = results.directory(type);
    const directory = join(run.output, below);
    const choice = pickResult(type, below, await listDirectory(directory));
    if (!choice.ok) throw new FlightlineError('builder', choice.problem);
    const path = join(directory, choice.name);
    const problem = await incompleteness(type, path);
    if (problem) {
      throw new FlightlineError('builder', `the builder left ${join(below, choice.name)}, which ${problem}`);
    }
    files.push({ type, path, size: choice.size });
  }
  // Sync the disks before the note: after a power cut a disk could have its full length but hold zeros.
  for (const path of new Set(files.map((file) => file.path))) await flush(path);
  for (const path of [run.log, ...Object.values(run.config)]) await rm(path, { force: true });
  const noted: z.infer<typeof Result> = { inputs, files: [] };
  for (const file of files) noted.files.push({ ...file, modified: (await lstat(file.path)).mtimeMs });
  await writeNote(noteFile(run), Result, noted);
  return files;
}

function noteFile(run: DiskRun): string {
  return join(run.directory, 'result.json');
}

async function flush(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Number of stages of a run of these types, from the builder's manifest; `undefined` until that is complete. */
export async function plannedStages(
  run: DiskRun,
  types: readonly DiskType[],
  { progress, results }: Pick<BuilderDriver, 'progress' | 'results'>,
): Promise<number | undefined> {
  for (const name of await manifests(run, results)) {
    const count = progress.count(await readFile(join(run.output, name), 'utf8').catch(() => ''), types);
    if (count !== undefined) return count;
  }
  return undefined;
}

async function manifests(run: DiskRun, { isManifest }: BuilderDriver['results']): Promise<string[]> {
  const names = await readdir(run.output, { recursive: true }).catch(() => []);
  return names.filter(isManifest);
}

async function listDirectory(directory: string): Promise<OutputEntry[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return Promise.all(
    entries.map(async (entry) => ({
      name: entry.name,
      file: entry.isFile(),
      size: (await lstat(join(directory, entry.name))).size,
    })),
  );
}
