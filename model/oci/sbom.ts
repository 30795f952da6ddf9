/** Bills of materials: the formats that can be asked for. */

/** By the name in a spec: Syft's name of the format, its media type, and the type of a statement that holds one. */
export const SBOMS = {
  spdx: { syft: 'spdx-json', mediaType: 'application/spdx+json', predicateType: 'https://spdx.dev/Document' },
  cyclonedx: {
    syft: 'cyclonedx-json',
    mediaType: 'application/vnd.cyclonedx+json',
    predicateType: 'https://cyclonedx.org/bom',
  },
} as const;
export type SbomFormat = keyof typeof SBOMS;

export const SBOM_FORMATS = Object.keys(SBOMS) as [SbomFormat, ...SbomFormat[]];

/** Artifact type of what a build host hands to the sign worker: a layer for each format. Nothing refers to it later. */
export const SBOM_ARTIFACT_TYPE = 'application/vnd.flightline.sbom.v1';
