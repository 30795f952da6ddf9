/** Images in podman's storage: inspects, lists, pulls and names them. */
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { Architecture } from '../../../model/base/host.ts';
import type { Timing } from '../../../model/base/timing.ts';
import { withFreshToken, type RegistryAccess } from '../registry/access.ts';
import { parseOutput, podman } from './podman.ts';

const Names = z.array(z.string()).nullish();
const Labels = z.record(z.string(), z.string()).nullish();

const InspectedImage = z.object({
  Id: z.string(),
  Size: z.number(),
  Created: z.coerce.date(),
  Architecture: z.string(),
  Labels,
  Annotations: Labels,
  RootFS: z.object({ Layers: Names }).nullish(),
  History: z.array(z.object({ created_by: z.string().optional() })).nullish(),
  RepoTags: Names,
  NamesHistory: Names,
});

/** An image in the host's storage. */
export interface LocalImage {
  /** Configuration digest, 64 hexadecimal digits. */
  id: string;
  /** Bytes, uncompressed. */
  size: number;
  created: Date;
  architecture: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** Number of layers. */
  layers: number;
  /** The instructions of the steps that made it, its base's first. */
  steps: readonly string[];
  /** `repository:tag`. */
  tags: readonly string[];
  /** Names that it had. */
  formerNames: readonly string[];
}

/** The image with a name or id; null when the storage has none. Ten times faster than listing many images. */
export async function inspectImage(name: string): Promise<LocalImage | null> {
  const { stdout, stderr, exitCode } = await podman(`inspecting ${name}`, ['image', 'inspect', name], {
    okExitCodes: [0, 125],
  });
  if (exitCode !== 0) {
    // This text is an answer, and saves another command. Other texts are errors.
    if (/^Error: .*: image not known$/m.test(stderr) || !(await imageExists(name))) return null;
    throw new FlightlineError('unexpected', `podman image inspect ${name} failed`);
  }
  return readImages(stdout)[0] ?? null;
}

/**
 * The image with an id that was built on this host, whose name is `host`.
 *
 * @throws FlightlineError `disk-vanished` when the storage has it no more
 */
export async function builtImage(host: string, imageId: string): Promise<LocalImage> {
  const image = await inspectImage(imageId);
  if (image) return image;
  throw new FlightlineError('disk-vanished', `${host} no longer has the image ${imageId.slice(0, 12)}`);
}

/** Several images at once, without those that the storage lacks. Works in a cancelled stage too. */
export async function inspectImages(names: readonly string[]): Promise<LocalImage[]> {
  if (names.length === 0) return [];
  const options = { cleanUp: true, okExitCodes: [0, 125] };
  const { stdout } = await podman('podman image inspect', ['image', 'inspect', ...names], options);
  return readImages(stdout);
}

function readImages(text: string): LocalImage[] {
  return parseOutput('podman image inspect', z.array(InspectedImage), text).map((image) => ({
    id: image.Id.replace('sha256:', ''),
    size: image.Size,
    created: image.Created,
    architecture: image.Architecture,
    labels: image.Labels ?? {},
    annotations: image.Annotations ?? {},
    layers: image.RootFS?.Layers?.length ?? 0,
    steps: (image.History ?? []).map((step) => step.created_by ?? ''),
    tags: image.RepoTags ?? [],
    formerNames: image.NamesHistory ?? [],
  }));
}

/** `true` when the storage has an image of this name or id. */
export async function imageExists(name: string): Promise<boolean> {
  const { exitCode } = await podman(`looking for ${name}`, ['image', 'exists', name], { okExitCodes: [0, 1] });
  return exitCode === 0;
}

const ListedImages = z
  .array(
    z.object({
      Id: z.string(),
      Labels,
      Names,
      History: Names,
      Created: z.number(),
    }),
  )
  .nullable();

/** An image in a list of images. */
export interface ListedImage {
  /** Configuration digest, 64 hexadecimal digits. */
  id: string;
  labels: Readonly<Record<string, string>>;
  /** `localhost/…` with tag. */
  names: readonly string[];
  /** Names that it had. */
  formerNames: readonly string[];
  /** Seconds since 1970. */
  created: number;
}

/**
 * The images of the storage, each once, the newest first.
 *
 * @param options.label `NAME` or `NAME=VALUE`, which they must have
 * @param options.betweenSteps includes the images between the steps of a build
 * @param options.cleanUp works in a cancelled stage too
 */
export async function listImages(
  options: { label?: string; betweenSteps?: boolean; cleanUp?: boolean } = {},
): Promise<ListedImage[]> {
  const { label, betweenSteps = false, cleanUp = false } = options;
  const filters = [...(betweenSteps ? ['--all'] : []), ...(label === undefined ? [] : ['--filter', `label=${label}`])];
  const { stdout } = await podman('podman images', ['images', ...filters, '--format', 'json'], { cleanUp });
  // podman lists an image once for each of its names, each time with all of them.
  const images = new Map<string, ListedImage>();
  for (const image of parseOutput('podman images', ListedImages, stdout) ?? []) {
    const id = image.Id.replace('sha256:', '');
    images.set(id, {
      id,
      labels: image.Labels ?? {},
      names: image.Names ?? [],
      formerNames: image.History ?? [],
      created: image.Created,
    });
  }
  return [...images.values()].sort((left, right) => right.created - left.created);
}

function loginFlags({ authfile }: Pick<RegistryAccess, 'authfile'>): string[] {
  return authfile === undefined ? [] : ['--authfile', authfile];
}

function tlsFlag(access: Pick<RegistryAccess, 'insecure'>, repository: string): string {
  return `--tls-verify=${access.insecure(repository) ? 'false' : 'true'}`;
}

/** Arguments that pull an image by digest. */
function pullArguments(
  access: Pick<RegistryAccess, 'authfile' | 'insecure' | 'isMirrored'>,
  repository: string,
  digest: string,
  architecture: Architecture | undefined,
): string[] {
  const platform = architecture === undefined ? [] : [`--platform=linux/${architecture}`];
  // Of several places registries.conf says which is insecure: the flag would count for all.
  const tls = access.isMirrored(repository) ? [] : [tlsFlag(access, repository)];
  return ['pull', '--quiet', ...loginFlags(access), ...tls, ...platform, `${repository}@${digest}`];
}

/**
 * Arguments that push an image by its digest, which podman writes to a file. They make no tag, since no tag may point
 * at something unsigned.
 */
export function pushArguments(
  access: Pick<RegistryAccess, 'authfile' | 'insecure'>,
  image: { id: string; repository: string; digestFile: string; flags: readonly string[] },
): string[] {
  const { id, repository, digestFile, flags } = image;
  const destination = `docker://${repository}@@unknown-digest@@`;
  return [
    'push',
    ...loginFlags(access),
    tlsFlag(access, repository),
    ...flags,
    `--digestfile=${digestFile}`,
    id,
    destination,
  ];
}

/**
 * Pulls an image by digest, and returns its name in the storage. Ends a pull that hangs for `timing.stall` (ms); `end`
 * ends it too. Of an index it takes the entry for `architecture`, by default the host's.
 */
export async function pullByDigest(
  access: RegistryAccess,
  repository: string,
  digest: string,
  timing: Pick<Timing, 'stall'>,
  { end, architecture }: { end?: AbortSignal | undefined; architecture?: Architecture } = {},
): Promise<string> {
  const name = `${repository}@${digest}`;
  const args = pullArguments(access, repository, digest, architecture);
  const { registriesConf: conf } = access;
  const mirrors = conf !== undefined && access.isMirrored(repository);
  const environment: Record<string, string> = mirrors ? { CONTAINERS_REGISTRIES_CONF: conf } : {};
  await withFreshToken(() => podman(`pulling ${name}`, args, { stall: timing.stall, end, environment }));
  return name;
}

/** Pulls an image unless the storage has it. */
export async function ensurePulled(
  access: RegistryAccess,
  repository: string,
  digest: string,
  timing: Pick<Timing, 'stall'>,
): Promise<string> {
  const name = `${repository}@${digest}`;
  return (await imageExists(name)) ? name : pullByDigest(access, repository, digest, timing);
}

/** Gives an image another name in the storage, and takes the name from the image that had it. */
export async function tagImage(image: string, name: string): Promise<void> {
  await podman(`naming ${image} ${name}`, ['tag', image, name]);
}

const Layer = z.object({ GraphDriver: z.object({ Data: z.object({ UpperDir: z.string() }).nullish() }) });

/** The absolute path of each image's last layer; null when the storage does not tell. */
export async function layerDirectories(ids: readonly string[]): Promise<string[] | null> {
  const { stdout, exitCode } = await podman('podman image inspect', ['image', 'inspect', ...ids], {
    okExitCodes: [0, 125],
  });
  if (exitCode !== 0) return null;
  const places = parseOutput('podman image inspect', z.array(Layer), stdout).map(
    ({ GraphDriver }) => GraphDriver.Data?.UpperDir,
  );
  return places.every((place) => place !== undefined) ? places : null;
}
