/**
 * A small client of the OCI distribution specification v1.1, for what skopeo cannot do or does slowly: finds digests,
 * reads manifests, checks push rights, lists tags. Failures are {@link FlightlineError}s without secrets.
 */
import { sha256 } from '../../../model/base/digest.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { parseManifest, type Manifest } from '../../../model/oci/manifest.ts';
import { Digest, registryOf } from '../../../model/oci/reference.ts';
import { together } from '../together.ts';
import { expectAnswer, expectSuccess, nextPage, readTags, said } from './api.ts';
import { RepositoryApi, type Answer } from './repository-api.ts';

/** Bytes of a manifest: the distribution specification's limit ("Pushing Manifests"). */
const MAX_MANIFEST = 4 * 1024 * 1024;

/** Manifests of images and indexes, in OCI's and Docker's words. */
const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ');

/** Tags per page. Some registries answer fewer, and distribution 2.8 always answers all. */
const PAGE = 1000;

/** Bytes of one answer, enough for a hundred thousand tags in one page. */
const MAX_PAGE = 16 * 1024 * 1024;

/** A registry that lists more pages than this is faulty. */
const MAX_PAGES = 10_000;

/** A tag and a digest that no repository has. */
const NO_TAG = 'flightline-no-such-tag-0f6d5b0c';
const NO_DIGEST = `sha256:${'0'.repeat(64)}`;

/** A manifest in the registry. */
export interface StoredManifest {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** One repository of a registry. Made by {@link RegistryAccess.repository}. */
export class RepositoryClient extends RepositoryApi {
  /** The digest that a tag or digest points at; null when there is none. */
  async headManifest(reference: string): Promise<string | null> {
    const answer = await this.ask('pull', `/manifests/${reference}`, {
      method: 'HEAD',
      headers: { accept: MANIFEST_TYPES },
    });
    if (answer.status === 404) return null;
    expectSuccess(answer, this.repository, `the manifest ${reference}`);
    const digest = Digest.safeParse(answer.headers['docker-content-digest']);
    if (digest.success) return digest.data;
    // The header is optional in the specification.
    return (await this.getManifest(reference))?.digest ?? null;
  }

  /** A manifest or index by tag or digest, its bytes checked against its digest; null when there is none. */
  async getManifest(reference: string): Promise<StoredManifest | null> {
    const answer = await this.ask('pull', `/manifests/${reference}`, {
      headers: { accept: MANIFEST_TYPES },
      limit: MAX_MANIFEST,
    });
    if (answer.status === 404) return null;
    expectSuccess(answer, this.repository, `the manifest ${reference}`);
    const digest = `sha256:${sha256(answer.body)}`;
    const claimed = Digest.safeParse(reference).success ? reference : answer.headers['docker-content-digest'];
    if (Digest.safeParse(claimed).success && claimed !== digest) {
      throw new FlightlineError(
        'registry',
        `${this.repository}: the manifest ${reference} has the digest ${digest}, not ${String(claimed)}: the ` +
          `registry's answer is damaged`,
      );
    }
    const mediaType = (answer.headers['content-type'] ?? '').split(';')[0]!.trim();
    return { digest, mediaType, bytes: answer.body };
  }

  /** Stores a manifest under a tag or its digest. Its parts must be in the repository. */
  async putManifest(
    reference: string,
    { mediaType, bytes }: Pick<StoredManifest, 'mediaType' | 'bytes'>,
  ): Promise<void> {
    const answer = await this.ask('pull,push', `/manifests/${reference}`, {
      method: 'PUT',
      headers: { 'content-type': mediaType, 'content-length': String(bytes.length) },
      body: bytes,
    });
    expectSuccess(answer, this.repository, `the manifest ${reference}`);
  }

  /**
   * A blob of at most `limit` bytes, checked against its digest; null when there is none.
   *
   * @throws FlightlineError `registry` also when it is longer.
   */
  async getBlob(digest: string, limit: number): Promise<Buffer | null> {
    const answer = await this.ask('pull', `/blobs/${digest}`, { limit });
    if (answer.status === 404) return null;
    expectSuccess(answer, this.repository, `the blob ${digest}`);
    if (`sha256:${sha256(answer.body)}` !== digest) {
      throw new FlightlineError('registry', `${this.repository}: the blob ${digest} arrived damaged`);
    }
    return answer.body;
  }

  /**
   * Proves that the login may push, by opening and dropping an upload. Nothing remains.
   *
   * @throws FlightlineError `registry-login`, `registry-denied` or `registry`.
   */
  async provePushRight(): Promise<void> {
    const answer = await this.ask('pull,push', '/blobs/uploads/', {
      method: 'POST',
      headers: { 'content-length': '0' },
    });
    if (answer.status === 404) {
      throw new FlightlineError(
        'registry-denied',
        `${this.repository} does not exist, and its registry makes none on a push`,
        { remedy: "make the repository in the registry's own interface" },
      );
    }
    expectSuccess(answer, this.repository, 'an upload');
    await this.dropUpload(answer);
  }

  /**
   * `true` when everybody can pull without a login.
   *
   * @throws FlightlineError `registry` when it does not answer.
   */
  async answersAnonymously(): Promise<boolean> {
    const anonymous = new RepositoryApi(this.repository, {
      authfile: '/dev/null',
      protocols: this.reach.protocols,
      insecure: (repository) => this.reach.insecure(repository),
    });
    try {
      const answer = await anonymous.ask('pull', '/tags/list?n=1');
      expectAnswer(answer, this.repository, 'the tags');
      // A registry that never asked for a login serves everybody, even for a repository that does not exist yet.
      return answer.status === 200 || (answer.status === 404 && !answer.challenged);
    } catch (error) {
      if (error instanceof FlightlineError && error.failure.kind !== 'registry') return false;
      throw error;
    }
  }

  /**
   * Who can pull, for the owner of a login. Unknown for a repository that does not exist yet: a push may make it
   * public.
   *
   * @throws FlightlineError `registry` when it does not answer.
   */
  async exposure(): Promise<'public' | 'private' | 'unknown'> {
    if (await this.answersAnonymously()) return 'public';
    try {
      const answer = await this.ask('pull', '/tags/list?n=1');
      expectAnswer(answer, this.repository, 'the tags');
      return answer.status === 200 ? 'private' : 'unknown';
    } catch (error) {
      if (error instanceof FlightlineError && error.failure.kind !== 'registry') return 'unknown';
      throw error;
    }
  }

  /** The first missing part of a digest, as by {@link inspect}; null when it is complete. */
  async missingPart(digest: string): Promise<string | null> {
    return (await this.inspect(digest)).missing;
  }

  /**
   * A manifest, and its first missing part in words: the manifest itself, an entry of an index, a configuration or a
   * layer. `missing` is null when it is complete. Checks blobs by HEAD.
   */
  async inspect(digest: string): Promise<{ manifest: Manifest | null; missing: string | null }> {
    const stored = await this.getManifest(digest);
    if (!stored) return { manifest: null, missing: `the manifest ${digest}` };
    const manifest = parseManifest(stored.bytes) ?? null;
    for (const entry of manifest?.manifests ?? []) {
      const missing = await this.missingPart(entry.digest);
      if (missing !== null) return { manifest, missing };
    }
    const blobs = [manifest?.config, ...(manifest?.layers ?? [])].flatMap((blob) => blob?.digest ?? []);
    const found = await together([...new Set(blobs)], async (blob) => ((await this.hasBlob(blob)) ? null : blob));
    const missing = found.find((blob) => blob !== null);
    return { manifest, missing: missing === undefined ? null : `the blob ${missing}` };
  }

  /** @throws FlightlineError a registry's failure */
  async hasBlob(digest: string): Promise<boolean> {
    const answer = await this.ask('pull', `/blobs/${digest}`, { method: 'HEAD' });
    if (answer.status === 404) return false;
    expectSuccess(answer, this.repository, `the blob ${digest}`);
    return true;
  }

  /** All tags, over all pages; none when there is no such repository. */
  async listTags(): Promise<string[]> {
    const tags = new Set<string>();
    let next: string | URL | undefined = `/tags/list?n=${PAGE}`;
    for (let page = 0; next !== undefined; page++) {
      const answer: Answer = await this.ask('pull', next, { limit: MAX_PAGE });
      if (answer.status === 404) return [...tags];
      expectSuccess(answer, this.repository, 'the tags');
      for (const tag of readTags(answer, this.repository)) tags.add(tag);
      const before: string = String(next);
      next = nextPage(answer.headers.link, answer.url);
      if (page === MAX_PAGES || (next && String(next) === before)) {
        throw new FlightlineError(
          'registry',
          `${registryOf(this.repository)} lists the tags of ${this.repository} without an end`,
        );
      }
    }
    return [...tags];
  }

  /** Digests of the manifests that name this one as their subject; none of a registry without the referrers API. */
  async listReferrers(digest: string): Promise<string[]> {
    const answer = await this.ask('pull', `/referrers/${digest}`, { limit: MAX_PAGE });
    if ([400, 404, 405, 501].includes(answer.status)) return [];
    expectSuccess(answer, this.repository, `the referrers of ${digest}`);
    return (parseManifest(answer.body)?.manifests ?? []).map((referrer) => referrer.digest);
  }

  /**
   * Deletes a tag, or the manifest of a digest with all its tags. `unsupported`: the registry does not delete this kind
   * of reference, or anything at all.
   *
   * @throws FlightlineError `registry-login`, `registry-denied` or `registry`.
   */
  async deleteManifest(reference: string): Promise<'deleted' | 'absent' | 'unsupported'> {
    const answer = await this.ask('delete', `/manifests/${reference}`, { method: 'DELETE' });
    if (answer.status === 404) return 'absent';
    // "405: tag deletion or manifest deletion disabled"; distribution 2.8 calls a tag a wrong digest.
    if (answer.status === 405 || answer.status === 400 || answer.status === 501) return 'unsupported';
    expectSuccess(answer, this.repository, `the deletion of ${reference}${said(answer)}`);
    return 'deleted';
  }

  /** How the registry deletes manifests. Asks with names that do not exist, and so changes nothing. */
  async deletion(): Promise<'tag' | 'digest' | 'none'> {
    if ((await this.deleteManifest(NO_TAG)) !== 'unsupported') return 'tag';
    return (await this.deleteManifest(NO_DIGEST)) === 'unsupported' ? 'none' : 'digest';
  }
}
