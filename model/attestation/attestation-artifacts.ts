/**
 * How attestations lie beside what they are about, as cosign 2 and 3 write and read them: a tag whose layers are
 * envelopes, and a sigstore bundle each whose manifest has a subject (OCI 1.1). Pure.
 */
import { createHash } from 'node:crypto';
import { attachmentImage, type AttachedLayer } from '../oci/attachment.ts';
import { blobArtifact, document, type Descriptor, type Document, type Layout } from '../oci/manifest.ts';
import type { Envelope } from './envelope.ts';

/** Media type of an envelope in the `.att` tag. */
export const ENVELOPE_TYPE = 'application/vnd.dsse.envelope.v1+json';
/** Media type of a sigstore bundle, and artifact type of its manifest. */
export const BUNDLE_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

/** An envelope as a layer of the `.att` tag. cosign chooses by the annotations without reading the layers. */
export function envelopeLayer(envelope: Envelope, predicateType: string): { layer: AttachedLayer; bytes: Uint8Array } {
  const { descriptor, bytes } = document(ENVELOPE_TYPE, envelope);
  const annotations = { 'dev.cosignproject.cosign/signature': '', predicateType };
  return { layer: { ...descriptor, annotations }, bytes };
}

/** What is under the `.att` tag: an image with these layers. */
export function attestationsImage(layers: readonly AttachedLayer[]): Layout {
  const { manifest, config } = attachmentImage(layers);
  return { root: manifest.descriptor, documents: [config, manifest] };
}

/**
 * An envelope as a sigstore bundle, whose manifest names what it is about as its subject.
 *
 * @param publicKey DER of the key that signed (SPKI): its hash is the hint by which a verifier finds the key
 */
export function bundleArtifact(
  envelope: Envelope,
  { predicateType, publicKey, subject }: { predicateType: string; publicKey: Uint8Array; subject: Descriptor },
): { layout: Layout; blob: Document } {
  const hint = createHash('sha256').update(publicKey).digest('base64');
  const blob = document(BUNDLE_TYPE, {
    mediaType: BUNDLE_TYPE,
    verificationMaterial: { publicKey: { hint } },
    dsseEnvelope: envelope,
  });
  const annotations = {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    'dev.sigstore.bundle.predicateType': predicateType,
  };
  return { layout: blobArtifact({ artifactType: BUNDLE_TYPE, blob: blob.descriptor, subject, annotations }), blob };
}
