/** Unpacks a context that was fetched. */
import { join } from 'node:path';
import { CONTEXT_LAYOUT, contextPlace } from '../../model/oci/labels.ts';
import { extractTar } from '../tools/tar.ts';
import { inspectContextTar } from './inspect.ts';

/** Where things are in an unpacked context. Absolute paths. */
export interface UnpackedContext {
  /** The directory that the author calls the context. */
  context: string;
  /** Under its own name; the ignore file in force lies beside it, where podman looks for it first. */
  containerfile: string;
  builderConfig: string | null;
  /** The directory that is the build context of a name. */
  contextNamed: (name: string) => string;
}

/**
 * Unpacks a context's tar into an empty directory (`CONTEXT_LAYOUT`). It is read through first; nothing is written
 * outside of the directory or through a link. Where a link of the context leads is never looked at: it is a path in the
 * image.
 *
 * @param limit most bytes that it may have when unpacked
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
