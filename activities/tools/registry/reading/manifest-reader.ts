/** What is read of repositories, wherever they are: in a registry, behind a mirror, or in a bundle. */
import type { StoredManifest } from '../repository.ts';

/** Reads one repository. Both are checked against their digests; null for what is not there. */
export interface ManifestReader {
  /** By tag or digest. */
  getManifest(reference: string): Promise<StoredManifest | null>;
  /** At most `limit` bytes. */
  getBlob(digest: string, limit: number): Promise<Buffer | null>;
}

/** Reads repositories by their names. */
export interface RepositoryReader {
  repository(name: string): ManifestReader;
}

/** Reads images that others publish. */
export interface ImageReader extends ManifestReader {
  /** The digest that a tag or digest points at; null when there is none. */
  headManifest(reference: string): Promise<string | null>;
}
