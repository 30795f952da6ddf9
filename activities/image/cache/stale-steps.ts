/**
 * Tells whether podman would have made what it found in its cache. podman identifies a step by its text and the
 * contents that it copies, not by the times of these files. What else it does not compare is in the notes on each step.
 */
import { lstat, readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ifMissing } from '../../host/space.ts';
import type { UnpackedContext } from '../../context/unpack.ts';
import type { StepNotes } from './step-notes.ts';
import type { BuildOutput } from '../../tools/podman/build-output.ts';
import { contextDirectories, type BuildOptions } from '../../../model/spec/build-options.ts';
import { layerDirectories } from '../../tools/podman/images.ts';

/** The build writes the contents of a heredoc, so that their time is always that of a build. */
const HEREDOC = /<</;
const COPY = /^(?:COPY|ADD) /i;
const FROM = /^(?:COPY|ADD) (?:--\S+ )*--from=["']?([^\s"']+)/i;

/**
 * `true` when a step might come out other than it is in the cache.
 *
 * @param output of the build that took steps from the cache
 * @param own images that this build made itself before it was started again
 * @param notes of earlier builds
 */
export async function hasStaleStep(
  output: Pick<BuildOutput, 'cached'>,
  own: ReadonlySet<string>,
  notes: Pick<StepNotes, 'knows'>,
  { context }: UnpackedContext,
  options: BuildOptions,
): Promise<boolean> {
  const steps = output.cached.filter(({ id }) => !own.has(id));
  for (const step of steps) if (!(await notes.knows(step))) return true;
  const directories = Object.keys(contextDirectories(options));
  const copies = steps.filter(({ instruction }) => COPY.test(instruction) && !HEREDOC.test(instruction));
  if (copies.length === 0) return false;
  const layers = await layerDirectories(copies.map(({ id }) => id));
  if (layers === null) return true;
  const known = new Map<string, Set<number>>();
  // The further contexts are beside it.
  await eachEntry(Buffer.from(dirname(context)), ({ key, time }) => {
    // Archives have whole seconds, cut off or rounded.
    known.set(key, (known.get(key) ?? new Set()).add(Math.floor(time)).add(Math.round(time)));
  });
  let stale = false;
  for (const [index, { instruction }] of copies.entries()) {
    const from = FROM.exec(instruction)?.[1];
    const isOfStage = from !== undefined && !directories.includes(from);
    const made = destinationOf(instruction);
    await eachEntry(Buffer.from(layers[index]!), ({ isFile, name, key, time }) => {
      if (!isFile && (isOfStage || made.includes(name))) return;
      const times = known.get(key);
      // A stage has written files of its own, with times of a build.
      stale ||= times === undefined ? isFile && !isOfStage : !times.has(Math.floor(time));
    });
  }
  return stale;
}

/** The names on the way to where a COPY puts files: podman makes these directories, with times of a build. */
function destinationOf(instruction: string): string[] {
  const last = instruction.split(/[\s"',[\]]+/).findLast((word) => word !== '');
  return last?.split('/') ?? [];
}

/** What of a file, link or directory tells, without its time, that it may be the same as another. */
interface Entry {
  isFile: boolean;
  name: string;
  key: string;
  /** Seconds since 1970. */
  time: number;
}

/** Visits the regular files, links and directories below a directory. */
async function eachEntry(directory: Buffer, visit: (entry: Entry) => void): Promise<void> {
  const entries = await readdir(directory, { encoding: 'buffer', withFileTypes: true }).catch(ifMissing([]));
  for (const entry of entries) {
    const path = Buffer.concat([directory, Buffer.from('/'), entry.name]);
    const isFile = entry.isFile();
    if (!isFile && !entry.isDirectory() && !entry.isSymbolicLink()) continue;
    const { size, mtimeMs } = await lstat(path);
    const name = entry.name.toString('latin1');
    const key = entry.isDirectory() ? `directory ${name}` : `${isFile ? 'file' : 'link'} of ${size}`;
    visit({ isFile, name, key, time: mtimeMs / 1000 });
    if (entry.isDirectory()) await eachEntry(path, visit);
  }
}
