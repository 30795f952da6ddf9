/**
 * Where a builder run stands, from its verbose output: osbuild heads every stage with its name and id, and bib writes
 * down all stages in `manifest-<types>.json` before the first (bib-observed, "stdout / stderr contract"). Pure.
 */
import { z } from 'zod';

/** How far a builder run is. */
interface BuilderProgress {
  /** What it does now: `org.osbuild.qemu`, or bib's own step in words. */
  step: string | undefined;
  /** Stages that have ended. */
  done: number;
  /** Stages of the whole run; `undefined` until the manifest is there. */
  total: number | undefined;
}

/** Before the first line. */
export const NO_PROGRESS: BuilderProgress = { step: undefined, done: 0, total: undefined };

const STAGE = /^(org\.osbuild\.[\w.-]+): [0-9a-f]{8,}(?: |$)/;
/** bib's own lines (verbose, on stderr) that say what comes next. */
const STEPS =
  /^((?:Done g|G)enerating manifest|Manifest generation step|Disk image building step|Building|Build complete)\b/;

/** The progress after one more line of either stream. */
export function advance(progress: BuilderProgress, line: string): BuilderProgress {
  const stage = STAGE.exec(line)?.[1];
  if (stage !== undefined) {
    const running = progress.step?.startsWith('org.osbuild.') ?? false;
    return bounded({ ...progress, step: stage, done: progress.done + (running ? 1 : 0) });
  }
  if (line.startsWith('manifest - finished successfully')) {
    return { ...progress, step: 'exporting the disks', done: progress.total ?? progress.done + 1 };
  }
  if (STEPS.test(line)) return { ...progress, step: line.trim() };
  return progress;
}

/** The progress when the number of all stages is known. */
export function withTotal(progress: BuilderProgress, total: number): BuilderProgress {
  return bounded({ ...progress, total });
}

/** A stage may run again (a retry within osbuild): never more than all. */
function bounded(progress: BuilderProgress): BuilderProgress {
  return { ...progress, done: Math.min(progress.done, progress.total ?? progress.done) };
}

/** osbuild's manifest, version 2 (`osbuild/schemas/osbuild2.json`), as far as it is counted. */
const Manifest = z.object({
  pipelines: z.array(z.looseObject({ name: z.string().optional(), stages: z.array(z.unknown()).default([]) })),
});
type Pipeline = z.infer<typeof Manifest>['pipelines'][number];

/**
 * Number of stages that osbuild runs for these exports, from the text of a `manifest-*.json`; `undefined` while it is
 * not whole, or of another version. bib lists the pipelines of every disk type it knows, and osbuild runs only what the
 * exports are made of.
 */
export function countStages(text: string, exports: readonly string[]): number | undefined {
  let pipelines: Pipeline[];
  try {
    ({ pipelines } = Manifest.parse(JSON.parse(text)));
  } catch {
    return undefined;
  }
  const named = new Map(pipelines.map((pipeline) => [pipeline.name, pipeline]));
  const known = exports.every((name) => named.has(name)) && pipelines.some((one) => pipelinesNamedIn(one).length > 0);
  // Where the manifest does not say what an export is made of, everything is run as far as is known.
  const needed = new Set(known ? exports.map((name) => named.get(name)!) : pipelines);
  for (const pipeline of needed) {
    for (const name of pipelinesNamedIn(pipeline)) {
      const other = named.get(name);
      // A set that grows while it is walked is walked to its end.
      if (other) needed.add(other);
    }
  }
  return [...needed].reduce((sum, { stages }) => sum + stages.length, 0);
}

/**
 * A pipeline refers to another as `name:NAME`, as its build root or in the inputs of a stage, as a value or as a key.
 */
function pipelinesNamedIn(value: unknown): string[] {
  if (typeof value === 'string') return value.startsWith('name:') ? [value.slice('name:'.length)] : [];
  if (Array.isArray(value)) return value.flatMap(pipelinesNamedIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [...pipelinesNamedIn(key), ...pipelinesNamedIn(inner)]);
}
