/** Labels and annotations that flightline writes on containers, images and manifests. */

/** On every container and image made from a work directory: its installation id. Two stacks never touch each other's things. */
export const INSTALLATION_LABEL = 'io.flightline.installation';
/** The release's workflow id. */
export const RELEASE_LABEL = 'io.flightline.release';
/** The branch, `image` or the subject of a builder run. */
export const BRANCH_LABEL = 'io.flightline.branch';
/** The inputs' digest (model/release/inputs.ts). On an image it is part of the image; on a container only of the container. */
export const INPUTS_LABEL = 'io.flightline.inputs';
/** What makes an image bootable, in the eyes of bootc and bib. */
export const BOOTC_LABEL = 'containers.bootc';

/** Labels of the OCI image specification ("Pre-Defined Annotation Keys"). */
export const OCI = {
  revision: 'org.opencontainers.image.revision',
  source: 'org.opencontainers.image.source',
  version: 'org.opencontainers.image.version',
  created: 'org.opencontainers.image.created',
  title: 'org.opencontainers.image.title',
  baseName: 'org.opencontainers.image.base.name',
  baseDigest: 'org.opencontainers.image.base.digest',
} as const;

/** Artifact type of a context. */
export const CONTEXT_ARTIFACT_TYPE = 'application/vnd.flightline.context.v1';

/**
 * Layout of the tar in a context artifact, and of a directory that it is unpacked into: the context directory below `context/`; the
 * Containerfile below `containerfile/`, under its own name, with the ignore file in force beside it under that name and a suffix; the
 * builder configuration.
 */
export const CONTEXT_LAYOUT = {
  context: 'context',
  containerfile: 'containerfile',
  ignoreSuffix: '.containerignore',
  builderConfigs: { toml: 'builder-config.toml', json: 'builder-config.json' },
} as const;
