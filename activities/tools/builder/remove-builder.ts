/**
 * The container in which a builder looks at the image (`podman run --rm … --entrypoint sleep IMAGE infinity`). The
 * podman inside the builder keeps it in this host's storage, without a label. A builder that is ended meanwhile leaves
 * it behind: it says that it runs, and its image cannot be removed.
 */
import {
  inspectContainer,
  listContainers,
  removeContainer,
  type ListedContainer,
} from '../podman/container/container.ts';
import { inspectImages } from '../podman/images.ts';
import { processesWithArgument } from '../process/processes.ts';
import type { BuilderRequest } from './driver.ts';

/**
 * Ends and removes the container of a run that has no result, with the containers in which it may have looked at the
 * images of its request.
 *
 * @param grace milliseconds between SIGTERM and SIGKILL
 */
export async function removeBuilder(
  name: string,
  { image, installer }: Pick<BuilderRequest, 'image' | 'installer'>,
  grace = 0,
): Promise<void> {
  await removeContainer(name, grace);
  const images = installer === null ? [image] : [image, installer];
  await removeInspections((await inspectImages(images)).map(({ id }) => id));
}

/**
 * Removes what ended builders left of these images (ids): containers of that form to which no process of this machine
 * belongs. Returns their names.
 *
 * @param listed all containers, where they are known
 */
export async function removeInspections(
  images: readonly string[],
  listed?: readonly ListedContainer[],
): Promise<string[]> {
  if (images.length === 0) return [];
  const removed: string[] = [];
  for (const { id, image, command } of listed ?? (await listContainers())) {
    if (!images.includes(image) || command.join(' ') !== 'infinity') continue;
    const container = await inspectContainer(id);
    if (container?.entrypoint.join(' ') !== 'sleep' || !container.removesItself) continue;
    // While a builder lives, the conmon of its container is seen from here, under another pid.
    if ((await processesWithArgument(id)).length > 0) continue;
    if (await removeContainer(id)) removed.push(container.name);
  }
  return removed;
}
