/**
 * Programs that rewrite the layers of an image in podman's storage, so that what stays the same stays in layers that
 * stay the same. Each is asked by the command line that its own sources have.
 */
import type { RechunkTool } from '../../../model/spec/build-options.ts';

/** A run of such a program. Paths are absolute, and of this host. */
export interface Rechunked {
  /** Its container image, by digest. */
  rechunker: string;
  /** Name of the container. */
  name: string;
  labels: Readonly<Record<string, string>>;
  /** Id of the image whose layers are rewritten. */
  imageId: string;
  architecture: string;
  maxLayers: number | undefined;
  /** Directory for its files, mounted as {@link PLACE}: `inspect.json`, `previous` and, afterwards, `image`. */
  directory: string;
  /** Whether there is a layout `previous` with the manifest of the release before. */
  hasPrevious: boolean;
  /** podman's storage on this host. */
  graphRoot: string;
}

/** Where a rechunker has its files. */
const PLACE = '/run/flightline';

/** Arguments of podman for a run. The program gets no network and no login. Pure. */
export function rechunkArguments(tool: RechunkTool, run: Rechunked): string[] {
  const labels = Object.entries(run.labels).map(([label, value]) => `--label=${label}=${value}`);
  return [
    'run',
    '--rm',
    '--pull=never',
    `--name=${run.name}`,
    ...labels,
    '--network=none',
    '--security-opt=label=disable',
    `--volume=${run.directory}:${PLACE}`,
    ...(tool === 'chunkah' ? chunkah(run) : buildChunkedOci(run)),
  ];
}

/**
 * chunkah (coreos/chunkah 0.6, src/cmd_build.rs): the root file system is where its image's CHUNKAH_ROOTFS says, and
 * `--config` takes what `podman inspect` prints. It groups files by package, and knows no release before.
 */
function chunkah({ rechunker, imageId, architecture, maxLayers }: Rechunked): string[] {
  return [
    `--mount=type=image,src=${imageId},dst=/chunkah`,
    '--env=CHUNKAH_ROOTFS=/chunkah',
    rechunker,
    'build',
    `--config=${PLACE}/inspect.json`,
    `--arch=${architecture}`,
    ...(maxLayers === undefined ? [] : [`--max-layers=${maxLayers}`]),
    `--output=oci:${PLACE}/image`,
  ];
}

/**
 * rpm-ostree (coreos/rpm-ostree, rust/src/compose.rs, `BuildChunkedOCIOpts`): reads the image from podman's storage,
 * which it mounts, and takes the layer plan of the release before from its manifest.
 */
function buildChunkedOci({ rechunker, imageId, maxLayers, hasPrevious, graphRoot }: Rechunked): string[] {
  return [
    '--privileged',
    `--volume=${graphRoot}:/var/lib/containers/storage`,
    '--entrypoint=rpm-ostree',
    rechunker,
    'compose',
    'build-chunked-oci',
    '--bootc',
    // Parent directories are in every layer, so that equal files make equal layers.
    '--format-version=2',
    `--from=${imageId}`,
    ...(maxLayers === undefined ? [] : [`--max-layers=${maxLayers}`]),
    ...(hasPrevious ? [`--previous-build=oci:${PLACE}/previous`] : []),
    `--output=oci:${PLACE}/image`,
  ];
}
