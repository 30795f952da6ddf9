/**
 * device-verify, for `verification: bake`: would a device made from this image accept it, and refuse what another key
 * signed? Tested with the files in the image, at their own paths.
 *
 * To test the refusal, the public key is replaced by one that nobody signed with. To a device that is the same as an
 * image that another key signed, and nothing foreign is published in the release's repository.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceVerifyInput, DeviceVerifyResult } from '../../model/contract/build.ts';
import { DEVICE_KEYS, DEVICE_POLICY, DEVICE_REGISTRIES, deviceKeyPath } from '../../model/device/signature-policy.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { entryTag } from '../../model/oci/reference.ts';
import { imageSubject, logName } from '../../model/stage/stage.ts';
import { withLease } from '../host/leased.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { CommandError, runCommand } from '../tools/process/command.ts';
import { removeContainer } from '../tools/podman/container/container.ts';
import {
  deviceArguments,
  deviceRefusal,
  probeArguments,
  type DeviceContainer,
} from '../tools/podman/container/device-container.ts';
import { copyFromImage } from '../tools/podman/image-files.ts';
import { ensurePulled, tagImage } from '../tools/podman/images.ts';
import { intoRegistry, registryError } from '../tools/registry/classify.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** Milliseconds to find out whether the image has a program. */
const PROBE = 2 * 60_000;

async function verifyOnDevice(
  whole: HostContext,
  input: DeviceVerifyInput,
  context: Task,
): Promise<ActivityAnswer<'deviceVerify'>> {
  const host = hostForPlatform(whole, input.platform);
  const branch = imageSubject(input.platform);
  return withLease(host, { ...input, branch }, context, async () => {
    const log = await stageLog(host, input.release, logName('device-verify', branch));
    context.report({ host: host.name, ...(input.platform && { subject: branch }) });
    const tool = await withLog(log, () =>
      withRegistryAccess(host.configuration, [input.image.repository], (access) =>
        verify(host, input, context, access, log.path),
      ),
    );
    return { host: host.name, log: await existingLog(log), tool };
  });
}

async function verify(
  host: HostContext,
  input: DeviceVerifyInput,
  context: Task,
  access: RegistryAccess,
  logFile: string,
): Promise<DeviceVerifyResult['tool']> {
  const { key, release, platform, timing } = input;
  const { repository, tag, digest } = input.image;
  if ((await access.repository(repository).headManifest(digest)) === null) {
    throw new FlightlineError('disk-vanished', `${repository}@${digest} is no longer in the registry`);
  }
  context.report({ step: 'fetching the image' });
  const image = await ensurePulled(access, repository, digest, timing).catch((error: unknown) => {
    throw intoRegistry(error, 'registry');
  });
  // Clean-up finds what was pulled for the release by this name.
  await tagImage(image, `${repository}:${platform ? entryTag(tag, platform) : tag}`);
  const directory = join(host.work.release(release), 'device');
  const name = ['flightline-device', releaseKey(release), ...(platform ? [platform] : [])].join('-');
  const labels = { [INSTALLATION_LABEL]: host.work.installation, [RELEASE_LABEL]: release };
  // What an earlier attempt left.
  await removeContainer(name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const container = { name, labels, image, repository, digest, insecure: access.insecure(repository) };
  const otherKey = join(directory, 'other.pub');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(otherKey, publicKey.export({ type: 'spki', format: 'pem' }), { mode: 0o644 });
  try {
    const place = await placeOf(container, directory, access, context);
    const ask = (keyFile: string | null) =>
      refusalOf({ ...container, ...place, otherKey: keyFile, key }, logFile, timing.stall);
    context.report({ step: 'a device takes the image' });
    const refused = await ask(null);
    if (refused !== null) {
      throw new FlightlineError('device-policy', `a device made of this image would refuse it: ${refused}`);
    }
    context.report({ step: 'a device refuses another key' });
    if ((await ask(otherKey)) === null) {
      const message =
        'a device made of this image would take images that another key signed: its ' +
        `${deviceKeyPath(key)} ` +
        'is ' +
        'not what decides';
      throw new FlightlineError('device-policy', message);
    }
    return place.tool;
  } finally {
    await removeContainer(name);
  }
}

/**
 * Whose skopeo asks. The image's own, if it has one and the registry answers without a login, since programs of an
 * image do not get this host's login. skopeo reads the image's files as podman does, by containers/image. Else the
 * host's.
 */
async function placeOf(
  container: Pick<DeviceContainer, 'name' | 'labels' | 'image' | 'repository'>,
  directory: string,
  access: RegistryAccess,
  context: Task,
): Promise<Pick<DeviceContainer, 'tool' | 'access' | 'files'>> {
  context.report({ step: 'looking for skopeo in the image' });
  if ((await access.repository(container.repository).answersAnonymously()) && (await hasSkopeo(container))) {
    const pulled = join(directory, 'pulled');
    await mkdir(pulled, { mode: 0o700 });
    return { tool: 'image', access: null, files: { pulled } };
  }
  const copy = async (path: string, name: string): Promise<string> => {
    const destination = join(directory, name);
    if (await copyFromImage(container.image, path, destination, container.labels)) return destination;
    throw new FlightlineError('device-policy', `a device made of this image would refuse it: there is no ${path}`);
  };
  const files = {
    policy: await copy(DEVICE_POLICY, 'policy.json'),
    registries: await copy(DEVICE_REGISTRIES, 'registries.d'),
    keys: await copy(DEVICE_KEYS, 'keys'),
  };
  const { authfile, directory: secrets } = access;
  return { tool: 'host', access: { authfile, directory: secrets }, files };
}

async function hasSkopeo(container: Pick<DeviceContainer, 'name' | 'labels' | 'image'>): Promise<boolean> {
  try {
    await runCommand('podman', probeArguments(container), { timeout: PROBE });
    return true;
  } catch (error) {
    if (!(error instanceof CommandError) || error.notFound) throw registryError(error, 'looking into the image');
    return false;
  }
}

/** Why the device would refuse the image; null when it accepts it. Throws any other failure. */
async function refusalOf(container: DeviceContainer, logFile: string, stall: number): Promise<string | null> {
  try {
    await runCommand('podman', deviceArguments(container), { stall, logFile, keepOutput: false });
    return null;
  } catch (error) {
    const refusal = error instanceof CommandError && !error.timedOut ? deviceRefusal(error.output) : null;
    if (refusal === null) throw registryError(error, `verifying ${container.repository} in the image`);
    // Without its key it refuses too, which proves nothing.
    if (container.otherKey !== null && refusal.kind !== 'signature') {
      throw new FlightlineError('device-policy', `a device made of this image cannot verify: ${refusal.text}`);
    }
    return refusal.text;
  }
}

export default verifyOnDevice satisfies HostBody<'deviceVerify'>;
