/**
 * The container in which a builder looks at the image (`podman run --rm … --entrypoint sleep IMAGE infinity`). The
 * podman inside the builder keeps it in this host's storage, without a label. A builder that is ended meanwhile leaves
 * it behind: it says that it runs, and its image cannot be removed.
 */
import { inspectContainer, listContainers, removeContainer } from '../podman/container/container.ts';
import { inspectImages } from '../podman/images.ts';
import { processesWithArgument } from '../process/processes.ts';

/**
 * Ends and removes the container of a run that has no result, with what it may have left in this host's podman.
 * `images` are the names that the builder was given; `grace` (ms) the time between SIGTERM and SIGKILL.
 */
export async function removeBuilder(name: string, images: readonly string[], grace = 0): Promise<void> {
  await removeContainer(name, grace);
  await removeInspections((await inspectImages(images)).map(({ id }) => id));
}

/**
 * Removes what ended builders left of these images (ids): containers of that form to which no process of this machine
 * belongs. Returns their names.
 */
export async function removeInspections(images: readonly string[]): Promise<string[]> {
  if (images.length === 0) return [];
  const removed: string[] = [];
  for (const { id, image, command } of await listContainers()) {
    if (!images.includes(image) || command.join(' ') !== 'infinity') continue;
    const container = await inspectContainer(id);
    if (container?.entrypoint.join(' ') !== 'sleep' || !container.removesItself) continue;
    // While a builder lives, the conmon of its container is seen from here, under another pid.
    if ((await processesWithArgument(id)).length > 0) continue;
    if (await removeContainer(id)) removed.push(container.name);
  }
  return removed;
}
