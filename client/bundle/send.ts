/** Sends what a verified bundle holds to repositories of another registry, each byte at most once. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mountBlob } from '../../activities/tools/registry/mount.ts';
import type { RegistryAccess } from '../../activities/tools/registry/access.ts';
import { layoutBlobPath } from '../../activities/tools/registry/oci-layout.ts';
import type { RepositoryClient } from '../../activities/tools/registry/repository.ts';
import { ONE_REQUEST, putBlob } from '../../activities/tools/registry/send-artifact.ts';
import { copyImage } from '../../activities/tools/registry/skopeo.ts';
import { LAYOUT_FILE, layoutIndex } from '../../model/oci/manifest.ts';
import { referrersTag } from '../../model/oci/reference.ts';
import { mergedAttachment, mergedReferrers } from '../../model/oci/attachment.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { blobsOf, type Bundle } from './bundle.ts';

/** Milliseconds for a push of any size over any connection. */
const PUSH_TIMEOUT = 6 * 60 * 60_000;

/** Sends parts of one bundle, and remembers which repository has which blob. */
export class Sending {
  private readonly access: RegistryAccess;
  private readonly bundle: Bundle;
  private readonly progress: (what: string) => void;
  /** Where each blob is, of those that were seen or sent. */
  private readonly places = new Map<string, RepositoryClient>();

  constructor(access: RegistryAccess, bundle: Bundle, progress: (what: string) => void) {
    this.access = access;
    this.bundle = bundle;
    this.progress = progress;
  }

  /** Sends a manifest with all that it points at, by its digest and without a tag, unless it is there whole. */
  async send(repository: string, digest: string): Promise<void> {
    const to = this.access.repository(repository);
    const { manifest, mediaType, bytes } = this.bundle.manifest(digest);
    if ((await to.missingPart(digest)) === null) {
      for (const blob of blobsOf(manifest)) this.places.set(blob.digest, to);
      return;
    }
    this.progress(`${repository}@${digest}`);
    for (const entry of manifest.manifests ?? []) await this.send(repository, entry.digest);
    for (const blob of blobsOf(manifest)) {
      const isSent = await this.sendBlob(to, blob);
      if (!isSent) return this.copy(repository, digest);
    }
    await to.putManifest(digest, { mediaType, bytes });
  }

  /**
   * Gives a digest the tag beside what it speaks of. What the registry has there already, signatures by other keys or
   * for other names, stays.
   */
  async attach(repository: string, tag: string, digest: string): Promise<void> {
    const to = this.access.repository(repository);
    const before = await to.getManifest(tag);
    if (before?.digest === digest) return;
    await this.send(repository, digest);
    const { bytes, mediaType } = this.bundle.manifest(digest);
    if (!before) return to.putManifest(tag, { mediaType, bytes });
    const merged = mergedAttachment(before.bytes, bytes);
    if (merged === 'unknown') {
      throw new UserError(
        'attached',
        `${repository}:${tag} is something else already, which the bundle's cannot be added to`,
        'remove it, or import to another repository',
        EXIT.failed,
      );
    }
    if (merged === 'nothing-new') return;
    await putBlob(to, merged.config.descriptor.digest, merged.config.bytes);
    const { descriptor } = merged.manifest;
    await to.putManifest(tag, { mediaType: descriptor.mediaType, bytes: Buffer.from(merged.manifest.bytes) });
  }

  /** Sends a referrer, and lists it for a registry without the referrers API. */
  async refer(repository: string, subject: string, digest: string): Promise<void> {
    const to = this.access.repository(repository);
    await this.send(repository, digest);
    if ((await to.listReferrers(subject)).includes(digest)) return;
    const tag = referrersTag(subject);
    const { bytes, mediaType } = this.bundle.manifest(digest);
    const before = await to.getManifest(tag);
    const list = mergedReferrers(before?.bytes ?? null, { mediaType, digest, size: bytes.length }, bytes);
    if (list) await to.putManifest(tag, { mediaType: list.descriptor.mediaType, bytes: Buffer.from(list.bytes) });
  }

  /** `false` for what is too large for one request, or for the registry's own way with uploads. */
  private async sendBlob(to: RepositoryClient, { digest, size }: { digest: string; size: number }): Promise<boolean> {
    const place = this.places.get(digest);
    const isThere =
      place === undefined || place === to
        ? await to.hasBlob(digest)
        : (await mountBlob(place, to, digest)) !== 'not-mounted';
    if (!isThere) {
      if (size > ONE_REQUEST) return false;
      if (!(await putBlob(to, digest, await readFile(layoutBlobPath(this.bundle.directory, digest))))) return false;
    }
    this.places.set(digest, to);
    return true;
  }

  /** Has skopeo send a manifest with its blobs: it looks for each one first, too. */
  private async copy(repository: string, digest: string): Promise<void> {
    const { directory } = this.bundle;
    const { mediaType, bytes, manifest } = this.bundle.manifest(digest);
    // A layout of one root, so that skopeo needs no name.
    const root = layoutIndex({ mediaType, digest, size: bytes.length });
    await writeFile(join(directory, 'index.json'), root.bytes);
    await writeFile(join(directory, 'oci-layout'), LAYOUT_FILE);
    const destination = `docker://${repository}@${digest}`;
    await copyImage(this.access, { source: `oci:${directory}`, destination }, { timeout: PUSH_TIMEOUT });
    await rm(join(directory, 'index.json'), { force: true });
    for (const blob of blobsOf(manifest)) this.places.set(blob.digest, this.access.repository(repository));
  }
}
