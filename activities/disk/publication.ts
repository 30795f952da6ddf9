/**
 * The publication of a disk: its file, and the documents around it. It is prepared once. The hashes, which take long,
 * are kept beside the files, so that a later attempt only checks that the files are the same.
 */
import { lstat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { PublishInput } from '../../model/contract/disk.ts';
import { DISK_TYPES, diskArtifactType } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { blobArtifact, containerDisk, diskArtifact, type Layout } from '../../model/oci/manifest.ts';
import { compressFile, hashFile, publishedName, writeContainerDiskLayer, type HashedFile } from './file.ts';
import { ifMissing } from '../host/space.ts';
import { readNote, writeNote } from '../tools/note.ts';
import type { LayoutBlob } from '../tools/registry/oci-layout.ts';

const Blob = z.object({
  path: z.string(),
  size: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Milliseconds since 1970, from lstat(2). With the size it shows whether the file was written to. */
  mtimeMs: z.number(),
});

const Publication = z.object({
  version: z.literal(1),
  form: z.string(),
  compress: z.string(),
  /** The file as built. */
  source: Blob.omit({ sha256: true }),
  /** The file as published. */
  file: Blob,
  /** The tar around it; null unless this is a container disk. */
  layer: Blob.nullable(),
});
export type Publication = z.infer<typeof Publication>;

type Wanted = Pick<PublishInput, 'disk' | 'file'>;

/**
 * The publication of a disk, its files below `directory` (a release's): `publish-<type>.json` and `publish-<type>/`.
 *
 * @throws FlightlineError `disk-vanished` when the file is gone or is not the one that was built.
 */
export async function preparePublication(wanted: Wanted, directory: string): Promise<Publication> {
  const source = await sourceOf(wanted);
  const note = join(directory, `publish-${wanted.disk.type}.json`);
  const known = await readNote(note, Publication);
  if (known && (await stillHolds(known, wanted, source))) return known;
  const made = await make(wanted, publicationFiles(directory, wanted));
  const publication: Publication = {
    version: 1,
    form: wanted.disk.publish,
    compress: wanted.disk.compress,
    source,
    file: await withTime(made.file),
    layer: made.layer ? await withTime(made.layer) : null,
  };
  // The hash is not valid when the file was written to meanwhile.
  const after = await sourceOf(wanted);
  if (after.mtimeMs !== source.mtimeMs) {
    throw new FlightlineError('unexpected', `${source.path} changed while it was read`);
  }
  await writeNote(note, Publication, publication);
  return publication;
}

/** The directory that a publication writes to. */
export function publicationFiles(directory: string, wanted: Pick<Wanted, 'disk'>): string {
  return join(directory, `publish-${wanted.disk.type}`);
}

/**
 * The layout to push and its large blob; null for the form `none`. The artifact of one platform of several is the entry
 * of an index that is made of all. Pure.
 */
export function publicationLayout(
  { file, layer }: Publication,
  { disk, architecture, platform }: Pick<PublishInput, 'disk' | 'architecture' | 'platform'>,
): { layout: Layout; blob: LayoutBlob } | null {
  if (layer) {
    const digest = `sha256:${layer.sha256}`;
    return {
      layout: containerDisk({ layer: { digest, size: layer.size }, architecture }),
      blob: { digest, path: layer.path },
    };
  }
  if (disk.publish !== 'artifact') return null;
  const digest = `sha256:${file.sha256}`;
  const artifactType = diskArtifactType(disk);
  // Set the file's media type: otherwise podman takes it from a table of the host. The artifact's type says what it is.
  const blob = { mediaType: artifactType, digest, size: file.size, title: basename(file.path) };
  const artifact = { artifactType, blob };
  return {
    layout: platform ? blobArtifact(artifact) : diskArtifact({ ...artifact, architecture }),
    blob: { digest, path: file.path },
  };
}

async function make({ disk, file }: Wanted, directory: string): Promise<{ file: HashedFile; layer?: HashedFile }> {
  if (disk.publish === 'container-disk') {
    if (!DISK_TYPES[disk.type].containerDisk || disk.compress !== 'none') {
      throw new FlightlineError(
        'invalid-input',
        `a ${disk.type} disk, compressed ${disk.compress}, cannot be a container disk`,
      );
    }
    return writeContainerDiskLayer(file.path, join(directory, 'layer.tar'));
  }
  if (disk.compress === 'none') return { file: await hashFile(file.path) };
  const target = join(directory, publishedName(file.path, disk.compress));
  return { file: await compressFile(file.path, target, disk.compress) };
}

async function sourceOf({ file }: Wanted): Promise<Publication['source']> {
  const facts = await lstat(file.path).catch(ifMissing(undefined));
  const problem = !facts
    ? 'is gone'
    : !facts.isFile()
      ? 'is not a regular file'
      : facts.size !== file.size
        ? `has ${facts.size} bytes, and ${file.size} were built`
        : undefined;
  if (!facts || problem) {
    throw new FlightlineError('disk-vanished', `${file.path} ${problem}`, {
      remedy: 'find out what removed or changed it on the build host',
    });
  }
  return { path: file.path, size: facts.size, mtimeMs: facts.mtimeMs };
}

async function stillHolds(known: Publication, { disk }: Wanted, source: Publication['source']): Promise<boolean> {
  return (
    known.form === disk.publish &&
    known.compress === disk.compress &&
    known.source.path === source.path &&
    known.source.size === source.size &&
    known.source.mtimeMs === source.mtimeMs &&
    (await isUntouched(known.file)) &&
    (known.layer === null || (await isUntouched(known.layer)))
  );
}

async function isUntouched(blob: z.infer<typeof Blob>): Promise<boolean> {
  const facts = await lstat(blob.path).catch(ifMissing(undefined));
  return facts?.isFile() === true && facts.size === blob.size && facts.mtimeMs === blob.mtimeMs;
}

async function withTime(file: HashedFile): Promise<z.infer<typeof Blob>> {
  return { ...file, mtimeMs: (await lstat(file.path)).mtimeMs };
}
