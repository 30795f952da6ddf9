/** The command line of `podman build`, and the names of the images that it makes. Pure. */
import { releaseKey, runKey } from '../../../model/release/inputs.ts';
import { INPUTS_LABEL, OCI } from '../../../model/oci/labels.ts';
import type { PinnedImage } from '../../../model/release/record.ts';
import { parseReference } from '../../../model/oci/reference.ts';

/** Repository, known on this host only, of all images that an installation has built. */
export function builtImages(installation: string): string {
  return `localhost/flightline/${installation}`;
}

/** Repository of a release's own images on its host: `localhost/flightline/<installation>/<16 hex>`. */
export function releaseImages(installation: string, release: string): string {
  return `${builtImages(installation)}/${releaseKey(release)}`;
}

/**
 * Name of the image that a release built from these inputs. The name, and not a label, says who built it: labels are
 * published, would make the same inputs give other bytes on each host, and are inherited by whatever a person builds on
 * the image.
 */
export function builtImageName(installation: string, release: string, imageInputs: string): string {
  return `${releaseImages(installation, release)}:${imageInputs.replace('sha256:', '').slice(0, 16)}`;
}

/**
 * The same for an image that holds a secret: only the run that built it adopts it, and it does not stay as cache. That
 * its name says so, and not a label, holds for what a killed worker left, too.
 */
export function privateImageName(installation: string, release: string, imageInputs: string, runId: string): string {
  return `${builtImageName(installation, release, imageInputs)}-${runKey(release, runId)}`;
}

/** `true` for a name that {@link privateImageName} gave. */
export function isPrivateImage(name: string): boolean {
  return /^localhost\/flightline\/[^/]+\/[0-9a-f]+:[0-9a-f]+-[0-9a-f]+$/.test(name);
}

/** A secret as a build gets it: what the Containerfile calls it, and its file (absolute path) on the host. */
export interface BuildSecretFile {
  id: string;
  file: string;
}

/** The parameters of a build. */
export interface BuildCommand {
  /** Absolute path of the unpacked context. */
  context: string;
  /** Absolute path of the Containerfile, under the name that its author gave it: the name has a meaning to podman. */
  containerfile: string;
  /** What the image is to be called; null when it is not the last of its build. */
  name: string | null;
  /** Absolute path of the file or named pipe to which podman writes all but its last words. */
  output: string;
  /** File to which podman writes the image's id. */
  idFile: string;
  cgroup: string;
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
    // The image's own configuration says when it was made; a label of ours would make equal inputs differ.
    [OCI.created]: null,
  };
}

/**
 * The labels to write. `null` takes away what the image would inherit from its base and what would be untrue of it;
 * what the Containerfile sets itself is left as it is, where nothing better is known.
 */
export function labelsToSet(
  labels: Readonly<Record<string, string | null>>,
  isOwn: (name: string) => boolean,
): Record<string, string | null> {
  return Object.fromEntries(Object.entries(labels).filter(([name, value]) => value !== null || !isOwn(name)));
}

/** Arguments of `podman` for a build. Nothing is pulled: podman asks for what it lacks by failing. */
export function buildArguments(command: BuildCommand): string[] {
  const labels = Object.entries(command.labels);
  return [
    // Which images it took is told in its notes only; with a log file they, and what RUN prints, stay apart from its
    // last words.
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
    ...Object.entries(command.buildArgs).map(([name, value]) => `--build-arg=${name}=${value}`),
    ...command.secrets.map(({ id, file }) => `--secret=id=${id},src=${file}`),
    ...command.volumes.map((volume) => `--volume=${volume}`),
    ...command.flags,
    // Takes a label away even where --label or the Containerfile sets it.
    ...labels.filter(([, value]) => value === null).map(([name]) => `--unsetlabel=${name}`),
    ...labels.filter(([, value]) => value !== null).map(([name, value]) => `--label=${name}=${value}`),
    command.context,
  ];
}

/** The argument by which a running build is recognised among all processes. */
export function cgroupArgument(cgroup: string): string {
  return `--cgroup-parent=${cgroup}`;
}

/** The repository of a reference that the contract has checked. */
export function repositoryOf(reference: string): string {
  const parsed = parseReference(reference);
  return parsed.ok ? parsed.reference.repository : reference;
}
