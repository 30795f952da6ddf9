/**
 * The Containerfile of a new project: the guide's own for each combination ("Building OS Images", the listings of
 * "Building the OS Image", "Using RHEL base images", "Red Hat OpenShift Virtualization" and "VMware vSphere"). Where
 * it differs stands in docs/from-the-guide.md, and a test compares. Pure.
 */
import { isMovingTag } from '../../model/oci/moving-tag.ts';
import type { Base, Choices, Target } from './choices.ts';

/** Writes it. */
export function containerfileText(choices: Choices): string {
  const virtual = choices.target !== 'bare-metal';
  const blocks = [
    [TITLES[choices.base], ...silences(choices), `FROM ${choices.baseImage}`],
    choices.base === 'debian-example' ? DEBIAN_NETWORK : agent(choices.base),
    ...(virtual && choices.base !== 'debian-example' ? [GUEST] : []),
    ...(choices.target === 'openshift-virtualization' && choices.base !== 'debian-example' ? [QEMU_AGENT] : []),
    ...(virtual && choices.base === 'debian-example' ? [DEBIAN_GUEST] : []),
    compose(choices),
    configuration(choices),
  ];
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

const TITLES: Record<Base, string> = {
  'centos-stream9': '# CentOS Stream 9 with the Flight Control agent.',
  'centos-stream10': '# CentOS Stream 10 with the Flight Control agent.',
  rhel9:
    '# RHEL 9 with the Flight Control agent. The build host must be registered, and logged in to registry.redhat.io.',
  rhel10:
    '# RHEL 10 with the Flight Control agent. The build host must be registered, and logged in to registry.redhat.io.',
  fedora: '# Fedora with the Flight Control agent.',
  'debian-example': '# The example from Debian packages: it shows a release, and is not an image for devices.',
};

/** Why `flightline lint` is to pass over what these choices bring with them. */
function silences({ base, baseImage, target }: Choices): string[] {
  const example = base === 'debian-example';
  const silence = (rule: string, reason: string) => `# flightline-lint: ignore=${rule} ${reason}`;
  const moving = example
    ? 'made on this machine, and published by `flightline up`'
    : 'the newest of this version; the record has the digest';
  return [
    ...(isMovingTag(baseImage) ? [silence('moving-tag', moving)] : []),
    ...(example ? [silence('agent-installed', 'Debian has no package of the agent')] : []),
    ...(example && target !== 'bare-metal'
      ? [silence('cloud-init,guest-tools', 'the example is built without a package server; see below')]
      : []),
  ];
}

/** "Building the OS Image (bootc)"; Fedora has dnf 5 ("Installing the agent RPM"). */
function agent(base: Base): string[] {
  const add = base === 'fedora' ? 'addrepo --from-repofile=' : '--add-repo ';
  return [
    `RUN dnf -y config-manager ${add}https://rpm.flightctl.io/flightctl-epel.repo && \\`,
    '    dnf -y install flightctl-agent && \\',
    '    dnf -y clean all && \\',
    '    systemctl enable flightctl-agent.service',
  ];
}

/** "Red Hat OpenShift Virtualization" and "VMware vSphere" have the same. */
const GUEST = [
  'RUN dnf -y install cloud-init open-vm-tools && \\',
  '    dnf -y clean all && \\',
  '    ln -s ../cloud-init.target /usr/lib/systemd/system/default.target.wants && \\',
  '    systemctl enable vmtoolsd.service',
];

const QEMU_AGENT = [
  '# Optional: OpenShift Virtualization sees more of a guest by the QEMU guest agent; to add it, uncomment below',
  '# RUN dnf -y install qemu-guest-agent && \\',
  '#     dnf -y clean all',
];

const DEBIAN_NETWORK = [
  '# Static configuration stands below /usr, in drop-in directories: the image alone defines it.',
  'COPY <<END /usr/lib/systemd/network/80-dhcp.network',
  '[Match]',
  'Type=ether',
  '',
  '[Network]',
  'DHCP=yes',
  'END',
  'RUN systemctl enable systemd-networkd.service',
];

const DEBIAN_GUEST = [
  '# Optional: with a Debian mirror in reach, uncomment below for cloud-init and the guest tools',
  '# RUN apt-get update && \\',
  '#     apt-get -y install cloud-init open-vm-tools qemu-guest-agent && \\',
  '#     apt-get clean && rm -rf /var/lib/apt/lists/*',
];

/** The guide's optional block: as the comment that it is there, or uncommented. */
function compose({ base, target, podmanCompose }: Choices): string[] {
  const lines = COMPOSE[base](target);
  if (podmanCompose) return ['# Support for applications of podman-compose', ...lines];
  const title = '# Optional: To enable podman-compose application support, uncomment below';
  return [title, ...lines.map((line) => `# ${line}`)];
}

const COMPOSE: Record<Base, (target: Target) => string[]> = {
  // The guide's listing for OpenShift Virtualization takes EPEL Next too, which Enterprise Linux 10 no longer has.
  'centos-stream9': (target) =>
    centosCompose(`epel-release${target === 'openshift-virtualization' ? ' epel-next-release' : ''}`),
  'centos-stream10': () => centosCompose('epel-release'),
  rhel9: () => rhelCompose(9),
  rhel10: () => rhelCompose(10),
  // Fedora's own repositories have it.
  fedora: () => [
    'RUN dnf -y install podman-compose && \\',
    '    dnf -y clean all && \\',
    '    systemctl enable podman.service',
  ],
  'debian-example': () => [
    'RUN apt-get update && \\',
    '    apt-get -y install podman podman-compose && \\',
    '    apt-get clean && rm -rf /var/lib/apt/lists/* && \\',
    '    systemctl enable podman.service',
  ],
};

function centosCompose(epel: string): string[] {
  return [
    `RUN dnf -y install ${epel} && \\`,
    '    dnf -y install podman-compose && \\',
    '    dnf -y clean all && \\',
    '    systemctl enable podman.service',
  ];
}

function rhelCompose(version: number): string[] {
  return [
    `RUN dnf -y install https://dl.fedoraproject.org/pub/epel/epel-release-latest-${version}.noarch.rpm && \\`,
    '    dnf -y install podman-compose && \\',
    '    dnf -y clean all && \\',
    '    rm -rf /var/{cache,log} /var/lib/{dnf,rhsm} && \\',
    '    systemctl enable podman.service',
  ];
}

function configuration({ binding, target }: Choices): string[] {
  if (binding === 'early') {
    return [
      '# The agent configuration with the enrollment certificate. flightline requests it and ' +
        'places it while the image is',
      '# built: there is no such file here, and the image is as secret as the key in it.',
      'ADD config.yaml /etc/flightctl/',
    ];
  }
  const how = target === 'bare-metal' ? 'Ignition or kickstart' : 'cloud-init';
  return [`# Late binding: ${how} brings /etc/flightctl/config.yaml when a device is provisioned.`];
}
