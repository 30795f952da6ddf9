/** Writes signatures beside what is signed, as skopeo and cosign do (cosign's SIGNATURE_SPEC). */
import { sha256 } from '../../../model/base/digest.ts';
import { attachmentImage, type AttachedLayer } from '../../../model/oci/attachment.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { signatureTag } from '../../../model/oci/reference.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import { sendArtifact } from '../../tools/registry/send-artifact.ts';
import { version } from '../../tools/version.ts';
import type { Signer } from './signer.ts';

const PAYLOAD_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';
const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
/** Bytes of a payload that another has written beside ours. */
const MAX_PAYLOAD = 1024 * 1024;

/** What is signed: a digest for a name. */
export function signedPayload(reference: string, digest: string): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': reference },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: { creator: `flightline ${version()}`, timestamp: Math.floor(Date.now() / 1000) },
    }),
  );
}

/**
 * Adds a signature of the digest for each tag to those that the registry has, by one write. The caller reads them back.
 *
 * @param timeout milliseconds
 */
export async function writeSignatures(
  access: RegistryAccess,
  sign: Signer,
  { repository, digest, tags }: { repository: string; digest: string; tags: readonly string[] },
  timeout: number,
): Promise<void> {
  const added: { layer: AttachedLayer; bytes: Uint8Array }[] = [];
  for (const tag of tags) added.push(await signatureFor(sign, `${repository}:${tag}`, digest));
  const place = access.repository(repository);
  const stored = await place.getManifest(signatureTag(digest));
  const layers = (stored && parseManifest(stored.bytes)?.layers) ?? [];
  const blobs = added.map(({ layer, bytes }) => ({ digest: layer.digest, bytes }));
  for (const one of layers) {
    const bytes = await place.getBlob(one.digest, MAX_PAYLOAD);
    if (!bytes) throw new FlightlineError('registry', `${repository} has lost the signature ${one.digest}`);
    blobs.push({ digest: one.digest, bytes });
  }
  const { manifest, config } = attachmentImage([...layers, ...added.map(({ layer }) => layer)]);
  const layout = { root: manifest.descriptor, documents: [config, manifest] };
  await sendArtifact(access, { repository, tag: signatureTag(digest) }, { layout, blobs }, { timeout });
}

async function signatureFor(sign: Signer, reference: string, digest: string) {
  const bytes = signedPayload(reference, digest);
  const signature = (await sign(bytes)).toString('base64');
  const annotations = { [SIGNATURE_ANNOTATION]: signature };
  return {
    layer: { mediaType: PAYLOAD_TYPE, digest: `sha256:${sha256(bytes)}`, size: bytes.length, annotations },
    bytes,
  };
}
