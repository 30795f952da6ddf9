/** bootc-image-builder, and osbuild/image-builder called by that name. */
import type { BuilderDriver } from '../../driver.ts';
import { exportOf } from '../../export.ts';
import { advance, countStages } from '../../progress.ts';
import { bootcImageBuilderArguments } from './arguments.ts';
import { bootcImageBuilderErrors } from './errors.ts';

/** Its own lines (verbose, on stderr) about the next step. */
const STEPS =
  /^(?:(?:Done g|G)enerating manifest|Manifest generation step|Disk image building step|Build(?:ing| complete))\b/;

export const bootcImageBuilderDriver: BuilderDriver = {
  arguments: {
    build: (request) => ['build', '--progress=verbose', ...bootcImageBuilderArguments(request)],
    manifest: (request) => ['manifest', ...bootcImageBuilderArguments(request)],
  },
  configuration: { path: (format) => `/config.${format}` },
  results: { directory: exportOf, isManifest: (path) => /^manifest-[^/]*\.json$/.test(path) },
  progress: {
    advance: (progress, line) => advance(progress, line, STEPS),
    count: (manifest, types) => countStages(manifest, types.map(exportOf)),
  },
  errors: bootcImageBuilderErrors,
};
