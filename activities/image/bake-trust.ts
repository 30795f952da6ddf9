/**
 * `verification: bake`: what an image's devices are to trust, as the last layer of the image (the guide, "Configuring
 * devices").
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DEVICE_POLICY,
  deviceFiles,
  deviceKeyPath,
  mergePolicy,
  policyFor,
  readPolicy,
  type DeviceTrust,
} from '../../model/device/signature-policy.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { canonicalJson, sha256 } from '../../model/base/digest.ts';
import { CONTEXT_LAYOUT } from '../../model/oci/labels.ts';
import { writeDeviceTree } from '../trust/device-tree.ts';
import { deviceLayer } from '../context/own-layers.ts';
import { copyFromImage } from '../tools/podman/image-files.ts';

/** Digest that names the image with its trust: another key is another image, although the context is the same. */
export function trustedInputs(imageInputs: string, trust: DeviceTrust): string {
  return `sha256:${sha256(canonicalJson({ imageInputs, trust }))}`;
}

/**
 * Writes a build of one layer on an image: the device's files, its policy merged into the one that the image has.
 *
 * @param image id in the host's storage
 * @param directory is made anew, in the layout that `podman build` is given (`CONTEXT_LAYOUT`)
 * @returns what is worth a line in the log
 * @throws FlightlineError `device-policy` when the image's policy rejects the repository, or is none.
 */
export async function writeTrustLayer(
  image: string,
  trust: DeviceTrust,
  directory: string,
  labels: Record<string, string>,
): Promise<string[]> {
  await rm(directory, { recursive: true, force: true });
  const context = join(directory, CONTEXT_LAYOUT.context);
  await mkdir(context, { recursive: true, mode: 0o700 });
  const policyFile = join(directory, 'policy.json');
  const found = await copyFromImage(image, DEVICE_POLICY, policyFile, labels);
  const keyPath = deviceKeyPath(trust.key);
  const { policy, notes } = found
    ? mergedPolicy(await readFile(policyFile, 'utf8'), trust.repositories, keyPath)
    : { policy: policyFor(trust.repositories, keyPath, 'insecureAcceptAnything'), notes: [] };
  const files = deviceFiles(trust, policy);
  await writeDeviceTree(context, files);
  await writeFile(join(directory, CONTEXT_LAYOUT.containerfile), `FROM ${image}\n${deviceLayer(files)}\n`);
  return [`${found ? 'merged the key into' : 'wrote'} ${DEVICE_POLICY} of the image`, ...notes];
}

/** An image's policy with the key in it. @throws FlightlineError `device-policy` */
function mergedPolicy(text: string, repositories: readonly string[], keyPath: string) {
  const merged = mergePolicy(readPolicy(text, `${DEVICE_POLICY} of the image`), repositories, keyPath);
  if (merged.rejected.length > 0) {
    throw new FlightlineError(
      'device-policy',
      `the image's own policy rejects what is released, and is not weakened: ${merged.notes.join('; ')}`,
    );
  }
  return merged;
}
