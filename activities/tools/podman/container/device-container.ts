/**
 * A container in which skopeo verifies an image as a device made from it would: command lines and answers. Pure.
 */
import {
  DEVICE_KEYS,
  DEVICE_POLICY,
  DEVICE_REGISTRIES,
  deviceKeyPath,
} from '../../../../model/device/signature-policy.ts';
import { isLoopbackRegistry, registryOf } from '../../../../model/oci/reference.ts';
import { plainText } from '../../registry/classify.ts';
import { copyArguments } from '../../registry/skopeo.ts';
import { anyOf } from '../../any-of.ts';

/** Copies of an image's policy.json, registries.d and keys. */
interface DeviceFiles {
  policy: string;
  registries: string;
  keys: string;
}

/** A question to a device. */
export interface DeviceContainer {
  name: string;
  labels: Readonly<Record<string, string>>;
  /** The image, in the host's storage and in the registry. */
  image: string;
  repository: string;
  digest: string;
  insecure: boolean;
  /** Name of the key that the image trusts. */
  key: string;
  /** A public key that replaces that key; null keeps it. */
  otherKey: string | null;
  /** Whose skopeo runs. */
  tool: 'image' | 'host';
  /** The host's login, for the host's own program only. */
  access: { authfile: string | undefined; directory: string } | null;
  /**
   * On the host. `pulled`: a directory for what the image's program pulls. The others: copies of what the image has,
   * for the host's program. It gets no registries.conf of the image, which could lead the host's login elsewhere.
   */
  files: { pulled: string } | DeviceFiles;
}

/** Where the image's program leaves what it pulls. */
const PULLED = '/run/flightline-pulled';

function containerArguments(container: Pick<DeviceContainer, 'name' | 'labels'>): string[] {
  return [
    'run',
    '--rm',
    `--name=${container.name}`,
    '--pull=never',
    // Do not start the image's operating system.
    '--systemd=false',
    '--security-opt=label=disable',
    ...Object.entries(container.labels).map(([label, value]) => `--label=${label}=${value}`),
  ];
}

/** Finds out whether the image has skopeo. */
export function probeArguments(container: Pick<DeviceContainer, 'name' | 'labels' | 'image'>): string[] {
  const { image } = container;
  return [...containerArguments(container), '--network=none', '--entrypoint=skopeo', image, '--version'];
}

/**
 * Finds out whether a device accepts the image. The image's own program pulls it, as a device does. The host's program
 * runs on the host's root file system, with the image's policy, registries.d and keys in their places, and copies the
 * image onto itself, which moves no layers.
 */
export function deviceArguments(container: DeviceContainer): string[] {
  const { repository, digest, tool, access, files, image, key, otherKey } = container;
  const volumes =
    'pulled' in files
      ? [`${files.pulled}:${PULLED}`]
      : [
          `${files.policy}:${DEVICE_POLICY}:ro`,
          `${files.registries}:${DEVICE_REGISTRIES}:ro`,
          `${files.keys}:${DEVICE_KEYS}:ro`,
          ...(access ? [`${access.directory}:${access.directory}:ro`] : []),
        ];
  if (otherKey !== null) volumes.push(`${otherKey}:${deviceKeyPath(key)}:ro`);
  const source = `docker://${repository}@${digest}`;
  const destination = 'pulled' in files ? `dir:${PULLED}` : source;
  return [
    ...containerArguments(container),
    // Only the host's network reaches a registry on a loopback address.
    ...(isLoopbackRegistry(registryOf(repository)) ? ['--network=host'] : []),
    ...volumes.map((volume) => `--volume=${volume}`),
    ...(tool === 'image' ? ['--entrypoint=skopeo', image] : ['--rootfs', '/:O', 'skopeo']),
    ...copyArguments(
      { source, destination, policy: DEVICE_POLICY },
      {
        authfile: access?.authfile,
        registriesDirectory: DEVICE_REGISTRIES,
        insecure: () => container.insecure,
      },
    ),
  ];
}

/** Why a device refuses an image: its signature, or unusable files. */
interface DeviceRefusal {
  kind: 'signature' | 'files';
  text: string;
}

/** Texts of containers/image about files that are missing, damaged, or contradict each other. */
const FILES = anyOf(
  /image rejected: (?:parsing public key|open )|policy\.json|loading (?:trust|signature) policy/i,
  /signature storage configuration|registries\.d/i,
);
const SIGNATURE = /image rejected|signature was required|rejected by policy/i;

/** The refusal in skopeo's output; null when it failed for another reason. */
export function deviceRefusal(output: string): DeviceRefusal | null {
  const text = plainText(output);
  if (FILES.test(output)) return { kind: 'files', text };
  return SIGNATURE.test(output) ? { kind: 'signature', text } : null;
}
