/** podman: a command of it, its set-up, and images in its storage. Containers are in `container.ts`. */
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import type { Timing } from '../../../model/base/timing.ts';
import { CommandError, lastLines, runCommand, type CommandOptions, type CommandResult } from '../process/command.ts';
import { classifyPodman, type Verdict } from './classify.ts';
import { withFreshToken, type RegistryAccess } from '../registry/access.ts';

/** Lines of output in a failure's message. */
const MESSAGE_LINES = 20;
/**
 * Milliseconds for a command that moves no image; a storage that is locked for ever must not hold an activity for ever.
 */
const QUICK = 5 * 60_000;

/**
 * Runs podman. `what` names the command in a failure: `pulling quay.io/acme/base@sha256:…`. A transfer is given
 * `stall`, by which one that hangs is noticed; any other command has 5 minutes unless a `timeout` says otherwise.
 *
 * @throws FlightlineError of the kind that podman's output tells.
 */
export async function podman(
  what: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  try {
    return await runCommand('podman', args, options.stall === undefined ? { timeout: QUICK, ...options } : options);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.notFound) throw new FlightlineError('host-setup', 'podman is not installed', { cause: error });
    const last = error.stderr.split('\n').findLast((line) => line.startsWith('Error: '));
    const said = last ?? lastLines(error.stderr || error.stdout, MESSAGE_LINES);
    // A registry may take a connection and say nothing more.
    const hangs = error.timedOut && options.stall !== undefined;
    const { kind, remedy }: Verdict = hangs ? { kind: 'registry' } : classifyPodman(said);
    throw new FlightlineError(kind, `${what} failed: ${error.timedOut ? error.message : said || error.message}`, {
      remedy,
      cause: error,
    });
  }
}

const Info = z.object({
  host: z.object({ cgroupManager: z.enum(['cgroupfs', 'systemd']) }),
  store: z.object({ graphRoot: z.string(), graphDriverName: z.string() }),
});

/** What other tools must know about this host's podman. */
export interface PodmanInfo {
  cgroupManager: 'cgroupfs' | 'systemd';
  /** Absolute path of the storage, by default `/var/lib/containers/storage`. */
  graphRoot: string;
  graphDriver: string;
}

let known: Promise<PodmanInfo> | undefined;

/**
 * What podman says about itself. It is asked once in the life of a process: `podman info` also asks the package manager
 * for versions, which takes 0.3 s, and a storage elsewhere needs a new start of the worker anyhow.
 */
export async function podmanInfo(): Promise<PodmanInfo> {
  const asked = (known ??= askPodman());
  try {
    return await asked;
  } catch (error) {
    if (known === asked) known = undefined;
    throw error;
  }
}

async function askPodman(): Promise<PodmanInfo> {
  // Several stages may wait for the one answer: the end of the first one must not be theirs.
  const { stdout } = await podman('podman info', ['info', '--format', 'json'], { cleanUp: true });
  const { host, store } = parseOutput('podman info', Info, stdout);
  return { cgroupManager: host.cgroupManager, graphRoot: store.graphRoot, graphDriver: store.graphDriverName };
}

/** Reads JSON that a tool printed; anything else than expected is a failure that quotes none of it. */
export function parseOutput<Schema extends z.ZodType>(what: string, schema: Schema, text: string): z.infer<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new FlightlineError('unexpected', `${what} printed no JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new FlightlineError(
    'unexpected',
    `${what} printed something else than expected: ${z.prettifyError(parsed.error)}`,
  );
}

const Names = z.array(z.string()).nullish();
const Labels = z.record(z.string(), z.string()).nullish();

const InspectedImage = z.array(
  z.object({ Id: z.string(), Size: z.number(), Labels, RootFS: z.object({ Layers: Names }).nullish() }),
);
/** An image in the host's storage. */
export interface LocalImage {
  /** Configuration digest, 64 hexadecimal digits. */
  id: string;
  /** Bytes, uncompressed. */
  size: number;
  labels: Record<string, string>;
  /** Number of layers. */
  layers: number;
}

/** The image of a name or id; null when the storage has none. */
export async function inspectImage(name: string): Promise<LocalImage | null> {
  const { stdout, exitCode } = await podman(`inspecting ${name}`, ['image', 'inspect', name], {
    okExitCodes: [0, 125],
  });
  if (exitCode !== 0) {
    if (!(await imageExists(name))) return null;
    throw new FlightlineError('unexpected', `podman image inspect ${name} failed`);
  }
  const [image] = parseOutput('podman image inspect', InspectedImage, stdout);
  if (!image) return null;
  return {
    id: image.Id.replace('sha256:', ''),
    size: image.Size,
    labels: image.Labels ?? {},
    layers: image.RootFS?.Layers?.length ?? 0,
  };
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

/** An image as a list of images tells it. */
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
 * @param options.betweenSteps also those that podman keeps between the steps of a build
 * @param options.cleanUp asks although the stage is cancelled
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

/** Flags by which podman reaches a repository: the activity's own logins, and TLS or not. */
function accessFlags(access: Pick<RegistryAccess, 'authfile' | 'insecure'>, repository: string): string[] {
  return [
    ...(access.authfile === undefined ? [] : ['--authfile', access.authfile]),
    `--tls-verify=${access.insecure(repository) ? 'false' : 'true'}`,
  ];
}

/** Arguments that pull an image by digest. */
function pullArguments(
  access: Pick<RegistryAccess, 'authfile' | 'insecure'>,
  repository: string,
  digest: string,
): string[] {
  return ['pull', '--quiet', ...accessFlags(access, repository), `${repository}@${digest}`];
}

/**
 * Arguments that push an image by its digest, which is written to a file. No tag is made: one must never point at what
 * is unsigned.
 */
export function pushArguments(
  access: Pick<RegistryAccess, 'authfile' | 'insecure'>,
  image: { id: string; repository: string; digestFile: string },
): string[] {
  const { id, repository, digestFile } = image;
  const destination = `docker://${repository}@@unknown-digest@@`;
  return ['push', ...accessFlags(access, repository), `--digestfile=${digestFile}`, id, destination];
}

/**
 * Makes sure that the storage has an image, by digest. What is there is not asked for again. Returns its name there,
 * and whether it stood there before. A pull that hangs for `timing.stall` (ms) is ended.
 */
export async function pullByDigest(
  access: RegistryAccess,
  repository: string,
  digest: string,
  timing: Pick<Timing, 'stall'>,
  end?: AbortSignal,
): Promise<{ name: string; stood: boolean }> {
  const name = `${repository}@${digest}`;
  if (await imageExists(name)) return { name, stood: true };
  const { stall } = timing;
  const args = pullArguments(access, repository, digest);
  await withFreshToken(() => podman(`pulling ${name}`, args, { stall, end }));
  return { name, stood: false };
}

/** Gives an image another name in the storage; who had the name before loses it. */
export async function tagImage(image: string, name: string): Promise<void> {
  await podman(`naming ${image} ${name}`, ['tag', image, name]);
}
