/** Labels and annotations that flightline writes on containers, images and manifests. */

/**
 * The work directory's installation id, on every container and image made from it, so that two stacks never touch each
 * other's.
 */
export const INSTALLATION_LABEL = 'io.flightline.installation';
/** The release's workflow id. */
export const RELEASE_LABEL = 'io.flightline.release';
/** The branch: `image`, or the subject of a builder run. */
export const BRANCH_LABEL = 'io.flightline.branch';
/** The digest of the inputs (model/release/inputs.ts), on an image or a builder container. */
export const INPUTS_LABEL = 'io.flightline.inputs';
/** The label of a bootable image, for bootc and bootc-image-builder. */
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
 * Layout of the tar in a context artifact, and of the directory that it is unpacked into: the context directory as
 * `context/`; further build contexts below `contexts/` ({@link contextPlace}); the Containerfile in `containerfile/`,
 * under its own name, with the ignore file that applies beside it; the builder configuration.
 */
export const CONTEXT_LAYOUT = {
  context: 'context',
  contexts: 'contexts',
  containerfile: 'containerfile',
  ignoreSuffix: '.containerignore',
  builderConfigs: { toml: 'builder-config.toml', json: 'builder-config.json' },
} as const;

/** The place of a named build context in that layout. A name may contain `/` and `:`. */
export function contextPlace(name: string): string {
  return `${CONTEXT_LAYOUT.contexts}/${encodeURIComponent(name)}`;
}
