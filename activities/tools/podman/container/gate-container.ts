/** The container of a gate: its command line, and what of podman's own configuration must not reach it. Pure. */

/** Where a gate finds what it looks at. */
const IMAGE_LAYOUT = '/flightline/image';
const IMAGE_ROOT = '/flightline/root';
const DISK_FILE = '/flightline/disk';

/** What a gate looks at, on the host: an image as an OCI layout and by its id, or the file of a disk. */
export type GateView = { layout: string; imageId: string } | { disk: string };

export interface GateContainer {
  name: string;
  labels: Readonly<Record<string, string>>;
  /** Id of the gate's own image. */
  image: string;
  arguments: readonly string[];
  network: boolean;
  view: GateView;
  /** What the gate is told of the release; no secret. */
  environment: Readonly<Record<string, string>>;
  /** Milliseconds, after which podman ends it even if no worker runs. */
  timeout: number;
}

/**
 * For CONTAINERS_CONF_OVERRIDE. What an operator's containers.conf or mounts.conf adds to every container, such as the
 * host's subscription, is not for a gate.
 */
export const GATE_CONTAINERS_CONF = `[containers]
default_mounts_file = "/dev/null"
devices = []
env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
env_host = false
http_proxy = false
mounts = []
volumes = []
`;

/**
 * Arguments of podman. The gate is root without any capability, since a root file system has files that its owner alone
 * may read; what it gets is mounted read-only.
 */
export function gateArguments(container: GateContainer): string[] {
  const { name, labels, image, network, view, environment, timeout } = container;
  const mounts =
    'disk' in view
      ? [`--volume=${view.disk}:${DISK_FILE}:ro`]
      : [
          `--volume=${view.layout}:${IMAGE_LAYOUT}:ro`,
          `--mount=type=image,source=${view.imageId},destination=${IMAGE_ROOT}`,
        ];
  return [
    'run',
    '--rm',
    `--name=${name}`,
    '--pull=never',
    ...(network ? [] : ['--network=none']),
    '--user=0:0',
    '--cap-drop=all',
    '--security-opt=no-new-privileges',
    // SELinux would keep the gate from files of the host's storage, which are what it is to read.
    '--security-opt=label=disable',
    '--read-only',
    '--systemd=false',
    '--http-proxy=false',
    '--pids-limit=2048',
    `--timeout=${Math.ceil(timeout / 1_000)}`,
    // flightline keeps the report, and podman need not.
    '--log-driver=none',
    ...Object.entries(labels).map(([label, value]) => `--label=${label}=${value}`),
    ...Object.entries(environment).map(([variable, value]) => `--env=${variable}=${value}`),
    ...mounts,
    image,
    ...container.arguments,
  ];
}
