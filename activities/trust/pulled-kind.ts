/** Tells what was pulled, by the directory that `skopeo copy … dir:` wrote. */
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { FlightlineError } from '../../model/failure/failure.ts';
import { CONTEXT_ARTIFACT_TYPE } from '../../model/oci/labels.ts';
import { manifestKind, parseManifest, platformEntries, type Manifest } from '../../model/oci/manifest.ts';
import { RECORD_MEDIA_TYPE } from '../../model/release/record-artifact.ts';

/** What was pulled. */
export type PulledKind = 'image' | 'artifact' | 'container-disk' | 'record' | 'context';

/** The kind, and what says so. @throws FlightlineError `registry` when there is no valid manifest. */
export async function pulledKind(
  directory: string,
): Promise<{ kind: PulledKind; mediaType: string; artifactType: string | null; platforms?: string[] }> {
  const manifest = await readManifest(join(directory, 'manifest.json'));
  const { kind, artifactType } = manifestKind(manifest);
  const platforms = platformEntries(manifest).map(({ platform }) => platform);
  // Of an index of images the first tells, which skopeo names by its digest.
  const first = manifest.manifests?.[0]?.digest.replace(/^sha256:/, '');
  const one = first === undefined ? manifest : await readManifest(join(directory, `${first}.manifest.json`));
  return {
    kind: kind === 'artifact' ? artifactKind(artifactType) : await imageKind(directory, one),
    ...(platforms.length > 0 && { platforms }),
    mediaType: manifest.mediaType ?? '',
    artifactType,
  };
}

async function readManifest(file: string): Promise<Manifest> {
  const manifest = parseManifest(await readFile(file));
  if (!manifest) throw new FlightlineError('registry', 'the registry answered with something that is not a manifest');
  return manifest;
}

function artifactKind(artifactType: string | null): PulledKind {
  if (artifactType === RECORD_MEDIA_TYPE) return 'record';
  return artifactType === CONTEXT_ARTIFACT_TYPE ? 'context' : 'artifact';
}

/**
 * A container disk has one layer, whose first entry is `disk` or a file in it (KubeVirt user guide, "containerDisk").
 */
async function imageKind(directory: string, manifest: Manifest): Promise<PulledKind> {
  const [layer, ...more] = manifest.layers ?? [];
  if (!layer || more.length > 0) return 'image';
  const path = await firstTarEntry(join(directory, layer.digest.replace(/^sha256:/, '')));
  return /^(?:\.?\/)?disk(?:\/|$)/.test(path ?? '') ? 'container-disk' : 'image';
}

/** The name in the first header (ustar, 100 bytes) of a tar, gzipped or plain; `undefined` when it cannot be read. */
async function firstTarEntry(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file);
    const magic = Buffer.alloc(2);
    await handle.read(magic, 0, 2, 0);
    await handle.close();
    const stream = createReadStream(file, { end: 64 * 1024 });
    const plain = magic[0] === 0x1f && magic[1] === 0x8b ? stream.pipe(createGunzip()) : stream;
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      stream.destroy();
      const name = chunk.subarray(0, 100);
      return name.subarray(0, Math.max(name.indexOf(0), 0)).toString();
    }
    return undefined;
  } catch {
    return undefined;
  }
}
