/** The contents of a bundle that was unpacked, read as repositories are. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { layoutBlobPath } from '../../activities/tools/registry/oci-layout.ts';
import type { ManifestReader, RepositoryReader } from '../../activities/tools/registry/reading/manifest-reader.ts';
import type { StoredManifest } from '../../activities/tools/registry/repository.ts';
import { MEDIA_TYPES, parseManifest, type Manifest } from '../../model/oci/manifest.ts';
import type { BundleIndex, BundleRoot } from '../../model/bundle/bundle.ts';
import { damaged } from './pack-bundle.ts';

/** Bytes of a manifest (distribution specification, "Pushing Manifests"). */
const MAX_MANIFEST = 4 * 1024 * 1024;

/** A layout directory with what is read of it. */
export class Bundle implements RepositoryReader {
  readonly directory: string;
  readonly index: BundleIndex;
  private readonly manifests: ReadonlyMap<string, StoredManifest & { manifest: Manifest }>;

  private constructor(directory: string, index: BundleIndex, manifests: Bundle['manifests']) {
    this.directory = directory;
    this.index = index;
    this.manifests = manifests;
  }

  /**
   * Reads the manifests of a directory whose blobs have the digests that their names say.
   *
   * @throws UserError `bundle-damaged` when a part is missing, has another size, or belongs to nothing
   */
  static async open(directory: string, index: BundleIndex): Promise<Bundle> {
    const manifests = new Map<string, StoredManifest & { manifest: Manifest }>();
    const used = new Set<string>();
    const sizes = await sizesIn(directory);
    const use = (digest: string, size: number) => {
      if (sizes.get(digest) !== size) throw damaged(`${digest} is missing or has another size`);
      used.add(digest);
    };
    const read = async (root: Pick<BundleRoot, 'mediaType' | 'digest' | 'size'>): Promise<void> => {
      const { digest, mediaType, size } = root;
      use(digest, size);
      if (manifests.has(digest)) return;
      const bytes = size > MAX_MANIFEST ? null : await readFile(layoutBlobPath(directory, digest));
      const manifest = bytes && parseManifest(bytes);
      if (!manifest) throw damaged(`${digest} is not a manifest`);
      manifests.set(digest, { digest, mediaType, bytes, manifest });
      for (const entry of manifest.manifests ?? []) await read(entry);
      for (const blob of blobsOf(manifest)) use(blob.digest, blob.size);
    };
    for (const root of index.roots) {
      await read(root);
      const { manifest } = manifests.get(root.digest)!;
      if (root.mediaType !== typeOf(manifest)) throw damaged(`${root.name} has another media type`);
    }
    const [unused] = [...sizes.keys()].filter((digest) => !used.has(digest));
    if (unused !== undefined) throw damaged(`nothing in it uses ${unused}`);
    return new Bundle(directory, index, manifests);
  }

  /** The root of that name. */
  root(name: string): BundleRoot | undefined {
    return this.index.roots.find((root) => root.name === name);
  }

  /** A manifest that {@link Bundle.open} has found. */
  manifest(digest: string): StoredManifest & { manifest: Manifest } {
    return this.manifests.get(digest)!;
  }

  repository(name: string): ManifestReader {
    return {
      getManifest: (reference) => {
        const digest = reference.startsWith('sha256:') ? reference : this.root(`${name}:${reference}`)?.digest;
        return Promise.resolve((digest === undefined ? undefined : this.manifests.get(digest)) ?? null);
      },
      getBlob: async (digest, limit) => {
        const path = layoutBlobPath(this.directory, digest);
        const facts = /^sha256:[0-9a-f]{64}$/.test(digest) ? await stat(path).catch(() => null) : null;
        if (!facts) return null;
        if (facts.size > limit) throw damaged(`${digest} is too long`);
        return readFile(path);
      },
    };
  }
}

/** The media type of a manifest, which need not say it itself. */
export function typeOf({ mediaType, manifests }: Manifest): string {
  return mediaType ?? (manifests ? MEDIA_TYPES.index : MEDIA_TYPES.manifest);
}

/** Configuration and layers of a manifest, each once. */
export function blobsOf({ config, layers }: Manifest): { digest: string; size: number }[] {
  const all = [config, ...(layers ?? [])].flatMap((blob) => (blob ? [blob] : []));
  return all.filter(({ digest }, index) => all.findIndex((one) => one.digest === digest) === index);
}

async function sizesIn(directory: string): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const hex of await readdir(join(directory, 'blobs/sha256'))) {
    sizes.set(`sha256:${hex}`, (await stat(join(directory, 'blobs/sha256', hex))).size);
  }
  return sizes;
}
