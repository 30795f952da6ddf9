/**
 * Releases as flightline publishes them, pushed by plain HTTP in milliseconds: real manifests, real sigstore
 * signatures, real records.
 */
import { sign, type KeyObject } from 'node:crypto';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { recordArtifact } from '../../model/release/record-artifact.ts';
import { sha256 } from '../../model/base/digest.ts';
import { CONTEXT_ARTIFACT_TYPE } from '../../model/oci/labels.ts';
import { blobArtifact, containerDisk, diskArtifact, MEDIA_TYPES, type Layout } from '../../model/oci/manifest.ts';
import { contextTag, entryTag, signatureTag } from '../../model/oci/reference.ts';

/** Signs a digest for names. */
export type Signer = (repository: string, digest: string, tags: readonly string[]) => Promise<void>;

async function put(url: string, type: string, bytes: Uint8Array): Promise<void> {
  const body = bytes as Uint8Array<ArrayBuffer>;
  const answer = await fetch(url, { method: 'PUT', headers: { 'content-type': type }, body });
  if (!answer.ok) throw new Error(`${url}: HTTP ${answer.status} ${await answer.text()}`);
}

const api = (repository: string) => repository.replace('/', '/v2/').replace(/^/, 'http://');

async function putBlob(repository: string, bytes: Uint8Array): Promise<string> {
  const digest = `sha256:${sha256(bytes)}`;
  if ((await fetch(`${api(repository)}/blobs/${digest}`, { method: 'HEAD' })).ok) return digest;
  const opened = await fetch(`${api(repository)}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(opened.headers.get('location')!);
  location.searchParams.set('digest', digest);
  await put(location.href, 'application/octet-stream', bytes);
  return digest;
}

/** Pushes a layout with its blob; `tag` names it. @returns its digest */
export async function putLayout(repository: string, layout: Layout, blob: Uint8Array, tag?: string): Promise<string> {
  await putBlob(repository, blob);
  for (const { descriptor, bytes } of layout.documents) {
    if (/manifest|index/.test(descriptor.mediaType)) {
      await put(`${api(repository)}/manifests/${descriptor.digest}`, descriptor.mediaType, bytes);
    } else await putBlob(repository, bytes);
  }
  if (tag !== undefined) await putTag(repository, tag, layout);
  return layout.root.digest;
}

async function putTag(repository: string, tag: string, layout: Layout): Promise<void> {
  const root = layout.documents.find(({ descriptor }) => descriptor.digest === layout.root.digest)!;
  await put(`${api(repository)}/manifests/${tag}`, layout.root.mediaType, root.bytes);
}

/** Gives a tag to what another one points at. */
export async function tagAs(repository: string, from: string, to: string): Promise<void> {
  const accept = ['manifest', 'index'].map((kind) => `application/vnd.oci.image.${kind}.v1+json`).join(', ');
  const answer = await fetch(`${api(repository)}/manifests/${from}`, { headers: { accept } });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  await put(`${api(repository)}/manifests/${to}`, answer.headers.get('content-type')!, bytes);
}

/** Signs as `skopeo copy --sign-by-sigstore-private-key` does (cosign's SIGNATURE_SPEC), a signature for each name. */
export function signerWith(privateKey: KeyObject): Signer {
  return async (repository, digest, tags) => {
    const layers: object[] = [];
    const blobs: string[] = [];
    for (const tag of tags) {
      const payload = Buffer.from(
        JSON.stringify({
          critical: {
            identity: { 'docker-reference': `${repository}:${tag}` },
            image: { 'docker-manifest-digest': digest },
            type: 'cosign container image signature',
          },
          optional: { creator: 'test', timestamp: 1_700_000_000 },
        }),
      );
      const signature = sign('sha256', payload, privateKey).toString('base64');
      const blob = await putBlob(repository, payload);
      blobs.push(blob);
      layers.push({
        mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
        digest: blob,
        size: payload.length,
        annotations: { 'dev.cosignproject.cosign/signature': signature },
      });
    }
    const config = Buffer.from(
      JSON.stringify({ architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: blobs } }),
    );
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.config, digest: await putBlob(repository, config), size: config.length },
      layers,
    };
    const bytes = Buffer.from(JSON.stringify(manifest));
    await put(`${api(repository)}/manifests/${signatureTag(digest)}`, manifest.mediaType, bytes);
  };
}

/**
 * Publishes what others say of a manifest: tags beside it as cosign makes them, and a referrer that names it as its
 * subject, with the tag of a registry that has no API for it. @returns the digests
 */
export async function speakOf(repository: string, subject: string): Promise<string[]> {
  const empty = Buffer.from('{}');
  const config = {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: await putBlob(repository, empty),
    size: empty.length,
  };
  const name = subject.replace(':', '-');
  const digests: string[] = [];
  const speak = async (tag: string | null, more: object) => {
    const mediaType = MEDIA_TYPES.manifest;
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [config], ...more }));
    const digest = `sha256:${sha256(bytes)}`;
    digests.push(digest);
    await put(`${api(repository)}/manifests/${tag ?? digest}`, mediaType, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  await speak(`${name}.att`, { annotations: { of: `att ${subject}` } });
  await speak(`${name}.sbom`, { annotations: { of: `sbom ${subject}` } });
  const type = 'application/vnd.example.sbom';
  const about = { mediaType: MEDIA_TYPES.manifest, digest: subject, size: 1 };
  const referrer = await speak(null, { artifactType: type, subject: about, annotations: { of: subject } });
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests: [{ ...referrer, artifactType: type }] };
  await put(`${api(repository)}/manifests/${name}`, MEDIA_TYPES.index, Buffer.from(JSON.stringify(index)));
  return digests;
}

export interface PublishedRelease {
  repository: string;
  tag: string;
  /** When it was done (ms since 1970). */
  at: number;
  sign: Signer;
  /** Publishes a disk too. */
  disk?: boolean;
  /** Further tags of image and record. */
  alsoTag?: string[];
  /** Text of the context's blob; none is sent without. */
  context?: string;
}

/** Publishes a context. @returns its digest */
export async function publishContext(repository: string, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const blob = { mediaType: 'application/octet-stream', digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  const layout = blobArtifact({ artifactType: CONTEXT_ARTIFACT_TYPE, blob });
  return putLayout(`${repository}/context`, layout, bytes, contextTag(layout.root.digest));
}

/** Pushes an image without a tag, as a release does before it is complete. @returns its digest */
export async function pushUntagged(repository: string, text: string): Promise<string> {
  const bytes = Buffer.from(text);
  const layer = { digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  return putLayout(repository, containerDisk({ architecture: 'amd64', layer }), bytes);
}

/** Publishes a release. @returns its record */
export async function publishRelease(release: PublishedRelease): Promise<ReleaseRecord> {
  const { repository, tag, at, alsoTag = [] } = release;
  const text = Buffer.from(`${repository}:${tag}`);
  const blobOf = (mediaType: string) => ({ mediaType, digest: `sha256:${sha256(text)}`, size: text.length });
  const layer = { digest: blobOf('').digest, size: text.length };
  const image = await putLayout(repository, containerDisk({ architecture: 'amd64', layer }), text, tag);
  await release.sign(repository, image, [tag, ...alsoTag]);
  const disks: ReleaseRecord['disks'] = [];
  if (release.disk) {
    const disk = `${repository}/diskimage-vmdk`;
    const artifactType = 'application/vnd.diskimage.vmdk';
    const layout = diskArtifact({ artifactType, architecture: 'amd64', blob: blobOf(artifactType) });
    const digest = await putLayout(disk, layout, text, tag);
    // A pull verifies the entry too.
    const names = [tag, entryTag(tag, 'amd64')];
    for (const { descriptor } of layout.documents.slice(1, 2)) {
      await release.sign(disk, descriptor.digest, names);
      await tagAs(disk, descriptor.digest, names[1]!);
    }
    await release.sign(disk, digest, [tag]);
    const updateFrom = `${repository}:${tag}`;
    const reference = `${disk}:${tag}`;
    disks.push({ type: 'vmdk', form: 'artifact', reference, digest, verified: true, updateFrom, file: null });
  }
  const context = await publishContext(repository, release.context ?? `context of ${tag}`);
  const record: ReleaseRecord = {
    schemaVersion: 1,
    release: `release/${repository}:${tag}`,
    runId: 'test',
    status: 'released',
    image: { reference: `${repository}:${tag}`, digest: image, verified: true },
    disks,
    inputs: { image: `sha256:${sha256(`inputs ${tag}`)}`, disks: {}, base: [], builder: null, context },
    stages: [
      {
        name: 'record',
        subject: 'release',
        status: 'done',
        host: null,
        attempts: 1,
        startedAt: new Date(at).toISOString(),
        durationMs: 0,
        log: null,
      },
    ],
    failure: null,
  };
  const artifact = recordArtifact(record);
  const records = `${repository}/release`;
  const digest = await putLayout(records, artifact.layout, artifact.bytes, tag);
  await release.sign(records, digest, [tag, ...alsoTag]);
  for (const other of alsoTag) {
    await tagAs(repository, tag, other);
    await tagAs(records, tag, other);
  }
  return record;
}
