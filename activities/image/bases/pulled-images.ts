/**
 * The bases and builders that this installation has pulled. Each has a name that marks it as pulled, besides its
 * digest, and a file with the releases that used it. An image that a person brought has neither, and is never removed.
 */
import type { Dirent } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { releaseKey } from '../../../model/release/inputs.ts';
import { sha256 } from '../../../model/base/digest.ts';
import type { Timing } from '../../../model/base/timing.ts';
import { ifMissing } from '../../host/space.ts';
import { inspectImage, pullByDigest, tagImage, type ListedImage, type LocalImage } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';
import { allEnded } from '../../tools/together.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import type { WorkDirectory } from '../../host/work-directory.ts';

const MARKS = 'localhost/flightline-pulled/';

/** The name that marks an image as pulled by an installation, which may remove it. Pure. */
function pulledMark(installation: string, name: string): string {
  return `${MARKS}${installation}:${sha256(name).slice(0, 32)}`;
}

const directoryOf = (work: Pick<WorkDirectory, 'path'>) => join(work.path, 'pulled');

/**
 * Pulls an image unless the storage has it, and notes that the release uses it here. `end` ends the pull.
 *
 * @throws FlightlineError also when `end` ended the pull
 */
export async function pullForRelease(
  work: Pick<WorkDirectory, 'path' | 'installation'>,
  release: string,
  access: RegistryAccess,
  image: { repository: string; digest: string },
  timing: Pick<Timing, 'stall'>,
  end?: AbortSignal,
): Promise<LocalImage> {
  const { repository, digest } = image;
  const name = `${repository}@${digest}`;
  const mark = pulledMark(work.installation, name);
  // Note first: the janitor must not remove it between the pull and the note.
  await mkdir(directoryOf(work), { recursive: true, mode: 0o700 });
  await appendFile(join(directoryOf(work), mark.slice(-32)), `${releaseKey(release)}\n`, { mode: 0o600 });
  const standing = await inspectImage(name);
  if (standing) {
    const marks = standing.tags.filter((one) => one.startsWith(MARKS));
    if (marks.length > 0 && !marks.includes(mark)) await tagImage(name, mark);
    return standing;
  }
  await pullByDigest(access, repository, digest, timing, { end });
  const [, pulled] = await allEnded([tagImage(name, mark), inspectImage(name)]);
  if (!pulled) throw new FlightlineError('container-lost', `${name} was removed from this host meanwhile`);
  return pulled;
}

/** When an image was last used (ms since 1970), and by which releases (their keys). */
interface Use {
  at: number;
  releases: readonly string[];
}

/** The uses of pulled images, by the tag of their mark. */
export async function usesOfPulled(work: Pick<WorkDirectory, 'path'>): Promise<Map<string, Use>> {
  const uses = new Map<string, Use>();
  for (const { name } of await readdir(directoryOf(work), { withFileTypes: true }).catch(ifMissing<Dirent[]>([]))) {
    const file = join(directoryOf(work), name);
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    uses.set(name, { at: mtimeMs, releases: text.split('\n').filter((line) => line !== '') });
  }
  return uses;
}

/** An image that may be removed, with its names. */
interface PulledImage {
  id: string;
  names: readonly string[];
  usedAt: number;
}

/**
 * The pulled images that no release with a lease here needs: those with this installation's mark and otherwise only
 * names by digest. Leaves out images that another installation has marked or a person has named. Pure.
 */
export function removablePulled(
  images: readonly ListedImage[],
  installation: string,
  uses: ReadonlyMap<string, Use>,
  held: ReadonlySet<string>,
): PulledImage[] {
  const own = `${MARKS}${installation}:`;
  return images.flatMap(({ id, names }) => {
    const marks = names.filter((name) => name.startsWith(own));
    if (marks.length === 0 || !names.every((name) => name.startsWith(own) || name.includes('@sha256:'))) return [];
    const used = marks.map((mark) => uses.get(mark.slice(own.length)) ?? { at: 0, releases: [] });
    if (used.some(({ releases }) => releases.some((key) => held.has(key)))) return [];
    // The name by digest goes last: an image that a container still uses keeps it.
    const digests = names.filter((name) => !marks.includes(name));
    return [{ id, names: [...marks, ...digests], usedAt: Math.max(...used.map(({ at }) => at)) }];
  });
}

/** Removes an image by its names. `false` when something still uses it. */
export async function removePulled(work: Pick<WorkDirectory, 'path'>, { names }: PulledImage): Promise<boolean> {
  const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
  const { exitCode } = await podman('podman rmi', ['rmi', ...names], options);
  if (exitCode !== 0) return false;
  for (const name of names.filter((one) => one.startsWith(MARKS))) {
    await rm(join(directoryOf(work), name.slice(name.lastIndexOf(':') + 1)), { force: true });
  }
  return true;
}
