/** record (DESIGN §3.10): the release's result as a signed artifact in the registry, named last of all. */
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import { RecordInput, type SignActivities } from '../spec/contract.ts';
import { FlightlineError } from '../spec/failure.ts';
import { canonicalJson, sha256 } from '../spec/inputs.ts';
import { blobArtifact, parseManifest, type Layout } from '../spec/oci-layout.ts';
import { RECORD_MEDIA_TYPE, ReleaseRecord } from '../spec/record.ts';
import type { WorkerConfiguration } from '../spec/worker-configuration.ts';
import { openKey, readPublicKey } from './keys.ts';
import { audit } from './sign.ts';
import { signDigest, signedNames } from './signatures.ts';
import { stage } from './stage.ts';
import { moveTags } from './tag.ts';
import { writeLayout } from './tools/oci-layout.ts';
import { withRegistryAccess, type RegistryAccess } from './tools/registry-access.ts';
import { getBlob, getManifest, headManifest } from './tools/registry.ts';
import { copyImage } from './tools/skopeo.ts';
import { verifyDigest } from './verify.ts';

/** Bytes of a record in a registry. Releases write some 10 kB. */
const MAX_RECORD = 1024 * 1024;

/** Makes the `record` activity of a sign worker. */
export function makeRecord(worker: { configuration: WorkerConfiguration }): SignActivities['record'] {
  return stage('record', RecordInput, async (input, context) => {
    const { repository, tags, timing } = input;
    const key = await openKey(worker.configuration, input.key, [repository]);
    return withRegistryAccess(worker.configuration, [repository], async (access) => {
      const digest = await pushRecord(access, repository, input.record, timing.command);
      const subject = { repository, digest, tags };
      const written = audit(context, input.key, input.release);
      await signDigest(access, key, subject, { timeout: timing.command, written });
      await verifyDigest(access, key, subject, timing.command);
      // A record follows its release: a tag that the release may move has its record moved too.
      const moves = tags.map((tag) => ({ repository, tag, digest, expected: 'any' as const }));
      const { vanished } = await moveTags(access, key, moves, timing.command);
      if (vanished.length > 0) {
        throw new FlightlineError('registry', `${repository}@${digest} vanished while it was named`);
      }
      return { digest };
    });
  });
}

/** The record as an artifact: equal records give equal bytes. Pure. */
export function recordArtifact(record: ReleaseRecord): { bytes: Uint8Array; blob: string; layout: Layout } {
  const bytes = new TextEncoder().encode(canonicalJson(record));
  const blob = `sha256:${sha256(bytes)}`;
  const layout = blobArtifact({
    artifactType: RECORD_MEDIA_TYPE,
    blob: { mediaType: RECORD_MEDIA_TYPE, digest: blob, size: bytes.length, title: 'record.json' },
  });
  return { bytes, blob, layout };
}

/** Pushes the record by digest, without a tag, unless it is there. @returns its digest */
async function pushRecord(
  access: RegistryAccess,
  repository: string,
  record: ReleaseRecord,
  timeout: number,
): Promise<string> {
  const { bytes, blob, layout } = recordArtifact(record);
  const { digest } = layout.root;
  if ((await headManifest(access, repository, digest)) !== null) return digest;
  const directory = join(access.directory, 'record');
  await writeLayout(directory, layout, [{ digest: blob, bytes }]);
  await copyImage(access, { source: `oci:${directory}`, destination: `docker://${repository}@${digest}` }, { timeout });
  return digest;
}

/**
 * The record that a tag names, if it is signed by the key for that very name. Null when there is none, when it is signed by nobody
 * or somebody else, when it is damaged, or when no public key is at hand: what is not verified is not trusted.
 *
 * @param publicKey path of the PEM file, or null
 * @throws FlightlineError a registry's failure
 */
export async function readRecord(
  access: RegistryAccess,
  repository: string,
  tag: string,
  publicKey: string | null,
): Promise<ReleaseRecord | null> {
  const key = publicKey === null ? null : await readPublicKey(publicKey).catch(() => null);
  if (!key) return null;
  return readVerifiedRecord(access, repository, tag, key);
}

/** As {@link readRecord}, with the key itself. */
export async function readVerifiedRecord(
  access: RegistryAccess,
  repository: string,
  tag: string,
  key: KeyObject,
): Promise<ReleaseRecord | null> {
  const stored = await getManifest(access, repository, tag);
  const manifest = stored && parseManifest(stored.bytes);
  const layer = manifest?.layers?.[0];
  if (!stored || manifest?.artifactType !== RECORD_MEDIA_TYPE || manifest.layers?.length !== 1 || !layer) return null;
  const names = await signedNames(access, repository, stored.digest, key);
  if (!names.includes(`${repository}:${tag}`) || layer.size > MAX_RECORD) return null;
  const bytes = await getBlob(access, repository, layer.digest, MAX_RECORD);
  return bytes && parseRecord(bytes);
}

function parseRecord(bytes: Uint8Array): ReleaseRecord | null {
  try {
    return ReleaseRecord.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}
