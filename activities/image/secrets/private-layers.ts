/**
 * The images between the steps of a build that puts a secret into its image. podman keeps them as cache, and those that
 * may hold the secret must go, even after a failed build. podman gives a label to them alone: the final image does not
 * have it, and it does not keep a later build from using those that stay.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildInput } from '../../../model/contract/build.ts';
import { releaseKey } from '../../../model/release/inputs.ts';
import { inspectImages, listImages } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { ALL, mayHoldSecret, type StepImage, SECRETS } from './step-image.ts';

/** The label on images between steps: `<installation>/<{@link labelOwner}>/<trusted steps>/<mark>`. */
const LABEL = 'io.flightline.private';

/** The parts of a build that hold a secret. */
interface PrivateBuild {
  /** The context holds it, so every step that reads the context may. */
  context: boolean;
  /** Every step that mounts a secret may hold it. */
  secrets: boolean;
  /** Steps whose instruction has this text may hold it; null for none. Letters, digits and dashes. */
  mark: string | null;
  /** Ids of the known images that the Containerfile builds on. */
  bases: readonly string[];
}

/** Whose build: a release's key, with the platform where there are several, which may build side by side. */
function labelOwner({ release, platform }: Pick<BuildInput, 'release' | 'platform'>): string {
  return [releaseKey(release), ...(platform ? [platform] : [])].join('-');
}

/** The flags of `podman build` that mark the images between its steps. */
export async function privateLayerFlags(
  installation: string,
  build: Pick<BuildInput, 'release' | 'platform'>,
  { context, secrets, mark, bases }: PrivateBuild,
): Promise<string[]> {
  const lengths = (await inspectImages(bases)).map(({ steps }) => steps.length);
  const trusted = !context ? (secrets ? SECRETS : ALL) : lengths.length === 0 ? 0 : Math.min(...lengths);
  return [`--layer-label=${LABEL}=${installation}/${labelOwner(build)}/${trusted}/${mark ?? ''}`];
}

/**
 * The flag for a one-step build on an image without a name: such an image has the label, and the new image would
 * inherit it.
 */
export const NOT_BETWEEN_STEPS = `--unsetlabel=${LABEL}`;

/** File in a release's directory: a build began here whose steps may hold a secret. */
const NOTE = 'private-layers.json';

/** Notes before a build that its steps may hold a secret, and must be removed. */
export async function notePrivateLayers(directory: string): Promise<void> {
  await writeNote(join(directory, NOTE), z.object({}), {});
}

/** `false` when no build of the release began here whose steps may hold a secret. */
export async function mayHavePrivateLayers(directory: string): Promise<boolean> {
  return (await readNote(join(directory, NOTE), z.unknown(), 'damaged')) !== undefined;
}

/**
 * Removes the images between the steps of this installation's builds that may hold a secret. `concerns` selects builds
 * by their release's key and platform; none of them may be running. Returns what was removed, in words.
 */
export async function removePrivateLayers(
  installation: string,
  concerns: (key: string, platform: string | undefined) => boolean,
): Promise<string[]> {
  const removed: string[] = [];
  for (const { id } of (await stepImages(installation, concerns)).filter(mayHoldSecret)) {
    // An image that another build's container uses stays, and is found the next time.
    const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
    if ((await podman('podman rmi', ['rmi', '--no-prune', id], options)).exitCode === 0) {
      removed.push(`layer ${id.slice(0, 12)}`);
    }
  }
  return removed;
}

async function stepImages(
  installation: string,
  concerns: Parameters<typeof removePrivateLayers>[1],
): Promise<StepImage[]> {
  const labels = new Map<string, string>();
  for (const image of await listImages({ label: LABEL, betweenSteps: true, cleanUp: true })) {
    const label = image.labels[LABEL] ?? '';
    const [by, owner = ''] = label.split('/');
    const [key = '', platform] = owner.split('-');
    if (by === installation && concerns(key, platform)) labels.set(image.id, label);
  }
  const images = await inspectImages([...labels.keys()]);
  return images.map(({ id, steps }) => ({ id, history: steps, label: labels.get(id) ?? '' }));
}
