/**
 * `verification: bake`: the last layer of an image, with what its devices will trust (the guide, "Configuring
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

/** The digest that names an image with its trust, since another key makes another image of the same context. */
export function trustedInputs(imageInputs: string, trust: DeviceTrust): string {
  return `sha256:${sha256(canonicalJson({ imageInputs, trust }))}`;
}

/**
 * Writes the context of a one-layer build: the device's files, with the policy merged into the image's own.
 *
 * @param image id in the host's storage
 * @param directory is made anew (`CONTEXT_LAYOUT`)
 * @returns lines for the log
 * @throws FlightlineError `device-policy` when the image's policy rejects the repository or cannot be read
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

/** An image's policy with the key added. @throws FlightlineError `device-policy` */
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
