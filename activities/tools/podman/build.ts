/** The command line of `podman build`, and the names of the images that it makes. Pure. */
import { releaseKey, runKey } from '../../../model/release/inputs.ts';
import { INPUTS_LABEL, OCI } from '../../../model/oci/labels.ts';
import { platformDigest, type PinnedImage } from '../../../model/release/record.ts';
import { parseReference } from '../../../model/oci/reference.ts';

/** The local repository of all images that an installation has built. */
export function builtImages(installation: string): string {
  return `localhost/flightline/${installation}`;
}

/** The local repository of a release's own images: `localhost/flightline/<installation>/<16 hex>`. */
export function releaseImages(installation: string, release: string): string {
  return `${builtImages(installation)}/${releaseKey(release)}`;
}

/**
 * Name of the image that a release built from these inputs. The name tells who built it. A label would not do: labels
 * are published, would make equal inputs give other bytes on each host, and are inherited by images on top.
 */
export function builtImageName(installation: string, release: string, imageInputs: string): string {
  return `${releaseImages(installation, release)}:${imageInputs.replace('sha256:', '').slice(0, 16)}`;
}

/**
 * The same for an image that holds a secret: only the run that built it adopts it, and it does not stay as cache. The
 * name also tells what a killed worker left.
 */
export function privateImageName(installation: string, release: string, imageInputs: string, runId: string): string {
  return `${builtImageName(installation, release, imageInputs)}-${runKey(release, runId)}`;
}

/** `true` for a name that {@link privateImageName} gave. */
export function isPrivateImage(name: string): boolean {
  return /^localhost\/flightline\/[^/]+\/[0-9a-f]+:[0-9a-f]+-[0-9a-f]+$/.test(name);
}

/** Name of the base on which a release's builder configuration is tried. */
export function checkedImageName(installation: string, release: string): string {
  return `${releaseImages(installation, release)}:checked`;
}

/** Name of the image that a release's installer boots from: builders take no image by digest alone. */
export function installerImageName(installation: string, release: string): string {
  return `${releaseImages(installation, release)}:installer`;
}

/** A secret of a build: its id in the Containerfile, and its file (absolute path) on the host. */
export interface BuildSecretFile {
  id: string;
  file: string;
}

/** The parameters of a build. */
export interface BuildCommand {
  /** Absolute path of the unpacked context. */
  context: string;
  /** Absolute path of the Containerfile, under its author's name, which has a meaning to podman. */
  containerfile: string;
  /** The image's name; null when another build follows on top. */
  name: string | null;
  /** Absolute path of the file or named pipe that gets podman's output except its last words. */
  output: string;
  /** File to which podman writes the image's id. */
  idFile: string;
  cgroup: string;
  /** `linux/arm64`; null for the host's own. */
  platform: string | null;
  buildArgs: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string | null>>;
  secrets: readonly BuildSecretFile[];
  /** `from:to:ro` */
  volumes: readonly string[];
  /** Further flags. */
  flags: readonly string[];
}

/** The facts that flightline's labels give about an image, in any case. */
export function releaseLabels(facts: {
  tag: string;
  imageInputs: string;
  commit: string | null;
  source: string | null;
  base: PinnedImage | null;
}): Record<string, string | null> {
  return {
    [INPUTS_LABEL]: facts.imageInputs,
    [OCI.version]: facts.tag,
    [OCI.revision]: facts.commit,
    [OCI.source]: facts.source,
    [OCI.baseName]: facts.base?.reference ?? null,
    [OCI.baseDigest]: facts.base?.digest ?? null,
    // The image's configuration has its time. A label would make images of equal inputs differ.
    [OCI.created]: null,
  };
}

/**
 * The labels to write. `null` removes what the image would inherit from its base and what would not be true of it. A
 * label that the Containerfile sets itself stays, where nothing better is known.
 */
export function labelsToSet(
  labels: Readonly<Record<string, string | null>>,
  isOwn: (name: string) => boolean,
): Record<string, string | null> {
  return Object.fromEntries(Object.entries(labels).filter(([name, value]) => value !== null || !isOwn(name)));
}

/** Arguments of `podman` for a build. It pulls nothing, and fails for an image that it lacks. */
export function buildArguments(command: BuildCommand): string[] {
  const labels = Object.entries(command.labels);
  return [
    // Only podman's notes tell which images it took. With a log file, notes and RUN's output stay apart from its last
    // words.
    '--log-level=debug',
    'build',
    `--logfile=${command.output}`,
    '--format=oci',
    '--pull=never',
    // A RUN that fails leaves no working container behind.
    '--force-rm',
    cgroupArgument(command.cgroup),
    `--file=${command.containerfile}`,
    `--iidfile=${command.idFile}`,
    ...(command.name === null ? [] : [`--tag=${command.name}`]),
    ...(command.platform === null ? [] : [`--platform=${command.platform}`]),
    ...Object.entries(command.buildArgs).map(([name, value]) => `--build-arg=${name}=${value}`),
    ...command.secrets.map(({ id, file }) => `--secret=id=${id},src=${file}`),
    ...command.volumes.map((volume) => `--volume=${volume}`),
    ...command.flags,
    // Removes a label even where --label or the Containerfile sets it.
    ...labels.filter(([, value]) => value === null).map(([name]) => `--unsetlabel=${name}`),
    ...labels.filter(([, value]) => value !== null).map(([name, value]) => `--label=${name}=${value}`),
    command.context,
  ];
}

/** The argument that identifies a running build among all processes. */
export function cgroupArgument(cgroup: string): string {
  return `--cgroup-parent=${cgroup}`;
}

/** The repository of a reference that a schema has checked. */
export function repositoryOf(reference: string): string {
  const parsed = parseReference(reference);
  return parsed.ok ? parsed.reference.repository : reference;
}

/** The name by digest, as the storage has it. */
export function nameByDigest(image: PinnedImage): string {
  return `${repositoryOf(image.reference)}@${platformDigest(image)}`;
}
