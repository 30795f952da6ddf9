/** Finds the image of an earlier attempt, so that it is not built again. */
import type { BuildInput } from '../../model/contract/build.ts';
import { INPUTS_LABEL, OCI } from '../../model/oci/labels.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { inspectImage, type LocalImage } from '../tools/podman/images.ts';
import { readBuilt } from './built-note.ts';

/**
 * The image that an earlier attempt made under a name. Its labels tell its inputs, and its name tells that this
 * installation made it. `directory` is the release's own.
 */
export async function findBuilt(
  directory: string,
  input: BuildInput,
  name: string,
): Promise<{ image: LocalImage; bases: PinnedImage[] } | null> {
  for (const [id, bases] of await readBuilt(directory)) {
    const image = await inspectImage(id);
    if (image && isWanted(image, input, name)) return { image, bases };
  }
  return null;
}

function isWanted({ tags, formerNames, labels, created }: LocalImage, input: BuildInput, name: string): boolean {
  return (
    (tags.includes(name) || formerNames.includes(name)) &&
    (input.fresh === undefined || created >= new Date(input.fresh)) &&
    labels[INPUTS_LABEL] === input.imageInputs &&
    labels[OCI.version] === input.tag &&
    // The same files may come from another commit now, and the image names the former one.
    (input.commit === null || labels[OCI.revision] === input.commit) &&
    (input.source === null || labels[OCI.source] === input.source)
  );
}
