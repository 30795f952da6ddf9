/** The builder's own check before a release, where image and builder are on this machine already. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { FlightlineError } from '../../model/failure/failure.ts';
import { INPUTS_LABEL } from '../../model/oci/labels.ts';
import { askForManifest, type ManifestAnswer, type ManifestQuestion } from '../../activities/tools/builder/manifest.ts';
import { imageExists, listImages } from '../../activities/tools/podman/images.ts';
import { withTemporaryDirectory } from '../../activities/tools/temporary-directory.ts';

/** What is checked. */
interface BuilderCheckInput extends Omit<ManifestQuestion, 'id' | 'name' | 'image' | 'config'> {
  /** Digest of the image inputs, by which the image is found. */
  imageInputs: string;
  config: { path: string; format: 'toml' | 'json' } | null;
}

/**
 * Runs the builder's `manifest` command on this machine, if possible. Never throws when the builder reports a problem.
 */
export async function checkWithBuilder({
  imageInputs,
  config,
  ...asked
}: BuilderCheckInput): Promise<ManifestAnswer | { kind: 'not-run'; reason: string }> {
  const notRun = (reason: string) => ({ kind: 'not-run' as const, reason });
  if (process.getuid?.() !== 0) return notRun('the builder runs as root only');
  try {
    const [image] = await listImages({ label: `${INPUTS_LABEL}=${imageInputs}` });
    if (!image) return notRun('this machine has no image of these inputs: it is not built yet, or is on another host');
    for (const needed of [asked.builder, ...(asked.installer === null ? [] : [asked.installer])]) {
      if (!(await imageExists(needed))) return notRun(`this machine does not have ${needed}: podman pull ${needed}`);
    }
    const random = randomBytes(6).toString('hex');
    const question = {
      ...asked,
      id: image.id,
      name: `flightline-dry-run-${random}`,
      image: `localhost/flightline/dry-run:${random}`,
      config: config && { text: await readFile(config.path, 'utf8'), format: config.format },
    };
    return await withTemporaryDirectory('flightline-dry-run-', (directory) => askForManifest(question, directory));
  } catch (error) {
    if (error instanceof FlightlineError) return notRun(error.failure.message);
    throw error;
  }
}
