/**
 * Reads images of a repository that has mirrors. skopeo is asked, which tries the mirrors of a registries.conf and then
 * the registry itself, as podman does when it pulls.
 */
import { sha256 } from '../../../../model/base/digest.ts';
import { MEDIA_TYPES, parseManifest } from '../../../../model/oci/manifest.ts';
import { runCommand } from '../../process/command.ts';
import { registryError } from '../classify.ts';
import type { StoredManifest } from '../repository.ts';
import type { ImageReader } from './manifest-reader.ts';

/** Milliseconds in which mirrors and registry must have answered. */
const ANSWER_WITHIN = 60_000;

/** A repository's images, by its mirrors or by itself. What neither has is a failure that names them all. */
export class MirroredImages implements ImageReader {
  private readonly repository: string;
  private readonly files: { registriesConf: string; authfile: string | undefined };
  /** Digests of manifests, by those of their configurations. */
  private readonly manifests = new Map<string, string>();

  constructor(repository: string, files: MirroredImages['files']) {
    this.repository = repository;
    this.files = files;
  }

  async headManifest(reference: string): Promise<string> {
    return (await this.getManifest(reference)).digest;
  }

  async getManifest(reference: string): Promise<StoredManifest> {
    const bytes = await this.inspect(reference, []);
    const digest = `sha256:${sha256(bytes)}`;
    const manifest = parseManifest(bytes);
    if (manifest?.config) this.manifests.set(manifest.config.digest, digest);
    const mediaType = manifest?.mediaType ?? (manifest?.manifests ? MEDIA_TYPES.index : MEDIA_TYPES.manifest);
    return { digest, mediaType, bytes };
  }

  /** The configuration of a manifest that was read. */
  async getBlob(digest: string): Promise<Buffer | null> {
    const manifest = this.manifests.get(digest);
    return manifest === undefined ? null : this.inspect(manifest, ['--config']);
  }

  private async inspect(reference: string, what: readonly string[]): Promise<Buffer> {
    const name = `${this.repository}${reference.includes(':') ? '@' : ':'}${reference}`;
    const { registriesConf, authfile } = this.files;
    const login = authfile === undefined ? [] : ['--authfile', authfile];
    const args = ['--registries-conf', registriesConf, 'inspect', '--raw', ...what, ...login, `docker://${name}`];
    try {
      return Buffer.from((await runCommand('skopeo', args, { timeout: ANSWER_WITHIN })).stdout);
    } catch (error) {
      throw registryError(error, `reading ${name}`);
    }
  }
}
