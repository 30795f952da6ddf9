/** Unpacks a fetched context. */
import { join } from 'node:path';
import { CONTEXT_LAYOUT, contextPlace } from '../../model/oci/labels.ts';
import { extractTar } from '../tools/tar.ts';
import { inspectContextTar } from './inspect.ts';

/** Absolute paths in an unpacked context. */
export interface UnpackedContext {
  /** The author's context directory. */
  context: string;
  /** Under its own name, with its ignore file beside it, where podman looks first. */
  containerfile: string;
  builderConfig: string | null;
  /** The directory of a named build context. */
  contextNamed: (name: string) => string;
}

/**
 * Unpacks a context's tar into an empty directory (`CONTEXT_LAYOUT`). Reads it through first, and writes nothing
 * outside the directory or through a link. A link may point anywhere, since its target is a path in the image.
 *
 * @param limit most bytes when unpacked
 * @throws FlightlineError `context-invalid`
 */
export async function unpackContextTar(file: string, directory: string, limit: number): Promise<UnpackedContext> {
  const { containerfileName, builderConfig } = await inspectContextTar(file, limit);
  await extractTar(file, directory);
  return {
    context: join(directory, CONTEXT_LAYOUT.context),
    containerfile: join(directory, CONTEXT_LAYOUT.containerfile, containerfileName),
    builderConfig: builderConfig && join(directory, CONTEXT_LAYOUT.builderConfigs[builderConfig.format]),
    contextNamed: (name) => join(directory, contextPlace(name)),
  };
}
