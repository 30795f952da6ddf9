/**
 * Where a builder run stands, from its verbose output: osbuild heads every stage with its name and id, and bib writes down all
 * stages in `manifest-<types>.json` before the first (bib-observed, "stdout / stderr contract"). Pure.
 */
import { z } from 'zod';

/** How far a builder run is. */
export interface BuilderProgress {
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
  /^(Generating manifest|Manifest generation step|Done generating manifest|Disk image building step|Building|Build complete)\b/;

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

/** osbuild's manifest, version 2, as far as it is counted. */
const Manifest = z.object({ pipelines: z.array(z.object({ stages: z.array(z.unknown()).default([]) })) });

/** Number of stages in the text of a `manifest-*.json`; `undefined` while it is not whole, or of another version. */
export function countStages(text: string): number | undefined {
  try {
    return Manifest.parse(JSON.parse(text)).pipelines.reduce((sum, pipeline) => sum + pipeline.stages.length, 0);
  } catch {
    return undefined;
  }
}
