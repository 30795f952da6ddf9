/** What the demo says of its evidence besides the summary. */
import type { ReleaseRecord } from '../../model/release/record.ts';

/** Why there is no bill of materials, and how others read what is attested while the stack stays up. */
export function evidenceHints(
  { image, attestations }: Pick<ReleaseRecord, 'image' | 'attestations'>,
  { sbom, keep, publicKey }: { sbom: boolean; keep: boolean; publicKey: string },
): string[] {
  // A release that did not come so far has other things to say.
  if (!attestations) return [];
  const verify = `cosign verify-attestation --key ${publicKey} --insecure-ignore-tlog --type slsaprovenance1`;
  return [
    ...(sbom ? [] : ['  no SBOM: Syft is not installed; with `syft` on PATH the demo attests what is in the image']),
    ...(keep ? [`  read the provenance: ${verify} ${image.reference}`] : []),
  ];
}
