/** osbuild/image-builder under its own name. */
import type { BuilderDriver } from '../../driver.ts';
import { exportOf } from '../../export.ts';
import { advance, countStages } from '../../progress.ts';
import { imageBuilderArguments, imageBuilderConfigPath, imageBuilderManifestArguments } from './arguments.ts';
import { imageBuilderErrors } from './errors.ts';

/** Its own lines (verbose, on stderr) about the next step. */
const STEPS = /^(?:Manifest generation step|Building manifest|Image building step)\b/;

export const imageBuilderDriver: BuilderDriver = {
  arguments: { build: imageBuilderArguments, manifest: imageBuilderManifestArguments },
  configuration: { path: imageBuilderConfigPath },
  results: { directory: exportOf, isManifest: (path) => path.endsWith('.osbuild-manifest.json') },
  progress: {
    advance: (progress, line) => advance(progress, line, STEPS),
    count: (manifest, types) => countStages(manifest, types.map(exportOf)),
  },
  errors: imageBuilderErrors,
};
