/**
 * Reads the progress of a builder run that ends in osbuild from its verbose output: osbuild prints every stage's name
 * and id, and builders write all stages into a manifest before the first one. Pure.
 */
import { z } from 'zod';

/** The progress of a builder run. */
export interface BuilderProgress {
  /** The current step: `org.osbuild.qemu`, or the builder's own words. */
  step: string | undefined;
  /** Stages that have ended. */
  done: number;
  /** Stages of the whole run; `undefined` before the manifest exists. */
  total: number | undefined;
}

/** Before the first line. */
export const NO_PROGRESS: BuilderProgress = { step: undefined, done: 0, total: undefined };

const STAGE = /^(org\.osbuild\.[\w.-]+): [0-9a-f]{8,}(?: |$)/;

/**
 * The progress after one more line of either stream.
 *
 * @param steps the builder's own lines about the next step
 */
export function advance(progress: BuilderProgress, line: string, steps: RegExp): BuilderProgress {
  const stage = STAGE.exec(line)?.[1];
  if (stage !== undefined) {
    const running = progress.step?.startsWith('org.osbuild.') ?? false;
    return bounded({ ...progress, step: stage, done: progress.done + (running ? 1 : 0) });
  }
  if (line.startsWith('manifest - finished successfully')) {
    return { ...progress, step: 'exporting the disks', done: progress.total ?? progress.done + 1 };
  }
  if (steps.test(line)) return { ...progress, step: line.trim() };
  return progress;
}

/** The progress, once the number of stages is known. */
export function withTotal(progress: BuilderProgress, total: number): BuilderProgress {
  return bounded({ ...progress, total });
}

/** osbuild may retry a stage, so the count is limited to the total. */
function bounded(progress: BuilderProgress): BuilderProgress {
  return { ...progress, done: Math.min(progress.done, progress.total ?? progress.done) };
}

/** osbuild's manifest, version 2 (`osbuild/schemas/osbuild2.json`), as far as it is counted. */
const Manifest = z.object({
  pipelines: z.array(z.looseObject({ name: z.string().optional(), stages: z.array(z.unknown()).default([]) })),
});
type Pipeline = z.infer<typeof Manifest>['pipelines'][number];

/**
 * Number of stages that osbuild runs for these exports, from the text of a manifest; `undefined` while it is
 * incomplete, or for another version. Builders list the pipelines of every disk type, and osbuild runs only those that
 * the exports need.
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
  // If the manifest does not tell what an export needs, count all pipelines.
  const needed = new Set(known ? exports.map((name) => named.get(name)!) : pipelines);
  for (const pipeline of needed) {
    for (const name of pipelinesNamedIn(pipeline)) {
      const other = named.get(name);
      // The loop also visits what is added meanwhile.
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
