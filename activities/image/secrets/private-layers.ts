/**
 * The images between the steps of a build that puts a secret into its image. Podman keeps them as cache; those that may
 * hold the secret must go, whatever became of the build. They are told by a label that podman gives to them alone:
 * neither the image that is built in the end has it, nor does it keep a later build from using what stays.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { releaseKey } from '../../../model/release/inputs.ts';
import { inspectImages, listImages } from '../../tools/podman/images.ts';
import { podman } from '../../tools/podman/podman.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { ALL, mayHoldSecret, type StepImage, SECRETS } from './step-image.ts';

/** On the images between the steps: `<installation>/<release key>/<trusted steps>/<mark>`. */
const LABEL = 'io.flightline.private';

/** What of a build holds a secret. */
interface PrivateBuild {
  /** The context does: every step that reads it. */
  context: boolean;
  /** So does every step that mounts a secret. */
  secrets: boolean;
  /** Steps in whose instruction this text is; null for none. Letters, digits and dashes. */
  mark: string | null;
  /** The images that the Containerfile builds on, as far as they are known, by id. */
  bases: readonly string[];
}

/** The flags of `podman build` by which what it keeps between steps is found again. */
export async function privateLayerFlags(
  installation: string,
  release: string,
  { context, secrets, mark, bases }: PrivateBuild,
): Promise<string[]> {
  const lengths = (await inspectImages(bases)).map(({ steps }) => steps.length);
  const trusted = !context ? (secrets ? SECRETS : ALL) : lengths.length === 0 ? 0 : Math.min(...lengths);
  return [`--layer-label=${LABEL}=${installation}/${releaseKey(release)}/${trusted}/${mark ?? ''}`];
}

/**
 * The flag of a build of one step on an image that has no name: such an image has the label, and what is built on it
 * would inherit it.
 */
export const NOT_BETWEEN_STEPS = `--unsetlabel=${LABEL}`;

/** In a release's directory: a build began here whose steps may hold a secret. */
const NOTE = 'private-layers.json';

/** Notes, before a build whose steps may hold a secret, that there is something to remove. */
export async function notePrivateLayers(directory: string): Promise<void> {
  await writeNote(join(directory, NOTE), z.object({}), {});
}

/** `false` when no build of the release began here whose steps may hold a secret. */
export async function mayHavePrivateLayers(directory: string): Promise<boolean> {
  return (await readNote(join(directory, NOTE), z.unknown(), 'damaged')) !== undefined;
}

/**
 * Removes the images between the steps of this installation's builds that may hold a secret. `concerns` says of a
 * release's key whether its builds count: none of them may run. Returns what was removed, in words.
 */
export async function removePrivateLayers(installation: string, concerns: (key: string) => boolean): Promise<string[]> {
  const removed: string[] = [];
  for (const { id } of (await stepImages(installation, concerns)).filter(mayHoldSecret)) {
    // What is in use by another build's container stays, and is found the next time.
    const options = { okExitCodes: [0, 1, 2, 125], cleanUp: true };
    if ((await podman('podman rmi', ['rmi', '--no-prune', id], options)).exitCode === 0) {
      removed.push(`layer ${id.slice(0, 12)}`);
    }
  }
  return removed;
}

async function stepImages(installation: string, concerns: (key: string) => boolean): Promise<StepImage[]> {
  const labels = new Map<string, string>();
  for (const image of await listImages({ label: LABEL, betweenSteps: true, cleanUp: true })) {
    const label = image.labels[LABEL] ?? '';
    const [owner, key = ''] = label.split('/');
    if (owner === installation && concerns(key)) labels.set(image.id, label);
  }
  const images = await inspectImages([...labels.keys()]);
  return images.map(({ id, steps }) => ({ id, history: steps, label: labels.get(id) ?? '' }));
}
