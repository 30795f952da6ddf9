/** Writes what skopeo writes when it signs, for a key that skopeo cannot use (cosign's SIGNATURE_SPEC). */
import { sha256 } from '../../../model/base/digest.ts';
import { attachmentImage } from '../../../model/oci/attachment.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { signatureTag } from '../../../model/oci/reference.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import { sendArtifact } from '../../tools/registry/send-artifact.ts';
import { version } from '../../tools/version.ts';
import { signBytes, type KmsKey } from './sign-bytes.ts';

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

/** Adds a signature of the digest for a tag to those that the registry has. The caller reads it back. */
export async function writeSignature(
  access: RegistryAccess,
  key: { name: string; kms: KmsKey },
  { repository, digest, tag }: { repository: string; digest: string; tag: string },
  timeout: number,
): Promise<void> {
  const place = access.repository(repository);
  const payload = signedPayload(`${repository}:${tag}`, digest);
  const signature = await signBytes(key.name, key.kms, payload);
  const layer = {
    mediaType: PAYLOAD_TYPE,
    digest: `sha256:${sha256(payload)}`,
    size: payload.length,
    annotations: { [SIGNATURE_ANNOTATION]: signature.toString('base64') },
  };
  const stored = await place.getManifest(signatureTag(digest));
  const layers = (stored && parseManifest(stored.bytes)?.layers) ?? [];
  const blobs: { digest: string; bytes: Uint8Array }[] = [{ digest: layer.digest, bytes: payload }];
  for (const one of layers) {
    const bytes = await place.getBlob(one.digest, MAX_PAYLOAD);
    if (!bytes) throw new FlightlineError('registry', `${repository} has lost the signature ${one.digest}`);
    blobs.push({ digest: one.digest, bytes });
  }
  const { manifest, config } = attachmentImage([...layers, layer]);
  const layout = { root: manifest.descriptor, documents: [config, manifest] };
  await sendArtifact(access, { repository, tag: signatureTag(digest) }, { layout, blobs }, { timeout });
}
