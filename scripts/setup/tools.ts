import type { Family } from './os-release.ts';

/** What the machine is set up for. Each purpose needs the tools of those before it. */
export type Purpose = 'run' | 'demo' | 'test';

const PURPOSES: readonly Purpose[] = ['run', 'demo', 'test'];

/** Facts of the machine that decide which tools it needs. */
export interface Machine {
  /** Node's name: `x64` or `arm64`. */
  architecture: string;
  /** False where the version 1 hierarchies are mounted, also beside version 2. */
  cgroupV2: boolean;
}

/** A program built from source by Go where no package holds it. */
export interface GoProgram {
  /** Import path of the main package, with its version. */
  module: string;
  /** Where it is put. */
  path: string;
}

/** A program or file of the operating system that flightline or its tests use. */
export interface HostTool {
  name: string;
  /** Why it is needed, for the person who is asked whether to install it. */
  why: string;
  /** The first purpose that needs it. */
  neededFor: Purpose;
  /** One of these programs, by name or path … */
  programs?: readonly string[];
  /** … or one of these files. */
  files?: readonly string[];
  /** The oldest version that does, as `program --version` prints it. */
  minimum?: string;
  /** Packages per family; none: the family's distributions do not carry it. */
  packages: Readonly<Record<Family, readonly string[]>>;
  /** How to get it where no package holds it. */
  otherwise?: { build: GoProgram } | { hint: string };
  /** Whether this machine needs it; always, when absent. */
  when?: (machine: Machine) => boolean;
}

/** Under these names distributions install Chromium, and others what is made of it. */
export const CHROMIUM_PROGRAMS: readonly string[] = [
  'chromium-headless-shell',
  '/usr/lib64/chromium-browser/headless_shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
];

/** The same packages in every family of RPM distributions. */
function packages(debian: string[], rpm: string[]): HostTool['packages'] {
  return { debian, fedora: rpm, enterprise: rpm };
}

/**
 * Everything that is looked for. Minimum versions of podman and skopeo are those of the guide that flightline follows:
 * sigstore signing and artifact manifests.
 */
export const HOST_TOOLS: readonly HostTool[] = [
  {
    name: 'git',
    why: 'packs contexts from git repositories',
    neededFor: 'run',
    programs: ['git'],
    packages: packages(['git'], ['git-core']),
  },
  {
    name: 'tar',
    why: 'packs contexts: names as bytes, hard links, attributes, times (GNU tar)',
    neededFor: 'run',
    programs: ['tar'],
    packages: packages(['tar'], ['tar']),
  },
  {
    name: 'podman',
    why: 'builds images and runs the disk builder',
    neededFor: 'run',
    programs: ['podman'],
    minimum: '5.0',
    packages: packages(['podman', 'containers-storage'], ['podman']),
  },
  {
    name: 'skopeo',
    why: 'copies, signs and verifies images and artifacts',
    neededFor: 'run',
    programs: ['skopeo'],
    minimum: '1.14',
    packages: packages(['skopeo'], ['skopeo']),
  },
  {
    name: 'OCI runtime',
    why: 'starts containers for podman',
    neededFor: 'run',
    programs: ['crun', 'runc'],
    packages: packages(['crun'], ['crun']),
    when: ({ cgroupV2 }) => cgroupV2,
  },
  {
    name: 'runc',
    why: 'starts containers where control groups are not version 2 only; crun refuses such machines',
    neededFor: 'run',
    programs: ['runc'],
    packages: packages(['runc'], ['runc']),
    when: ({ cgroupV2 }) => !cgroupV2,
  },
  {
    name: 'netavark',
    why: 'connects containers to the network',
    neededFor: 'run',
    programs: ['/usr/lib/podman/netavark', '/usr/libexec/podman/netavark'],
    packages: packages(['netavark', 'aardvark-dns'], ['netavark', 'aardvark-dns']),
  },
  {
    name: 'nft',
    why: 'netavark writes its rules with it; without it no container has a network',
    neededFor: 'run',
    programs: ['nft'],
    packages: packages(['nftables'], ['nftables']),
  },
  {
    name: 'zstd',
    why: 'compresses disks that ask for `compress: zstd`',
    neededFor: 'run',
    programs: ['zstd'],
    packages: packages(['zstd'], ['zstd']),
  },
  {
    name: 'docker-registry',
    why: 'the local registry of the embedded stack (CNCF distribution)',
    neededFor: 'demo',
    programs: ['docker-registry'],
    packages: packages(['docker-registry'], []),
    otherwise: {
      build: {
        module: 'github.com/distribution/distribution/v3/cmd/registry@v3.0.0',
        path: '/usr/local/bin/docker-registry',
      },
    },
  },
  {
    name: 'mmdebstrap',
    why: 'makes the base image of examples/debian from Debian packages',
    neededFor: 'demo',
    programs: ['mmdebstrap'],
    packages: { debian: ['mmdebstrap'], fedora: ['mmdebstrap'], enterprise: [] },
    otherwise: { hint: 'only examples/debian needs it; EPEL may carry it' },
  },
  {
    name: 'Debian archive keys',
    why: 'mmdebstrap checks the signatures of Debian packages with them',
    neededFor: 'demo',
    files: ['/usr/share/keyrings/debian-archive-keyring.gpg', '/usr/share/keyrings/debian-archive-keyring.pgp'],
    packages: { debian: ['debian-archive-keyring'], fedora: ['debian-keyring'], enterprise: [] },
    otherwise: { hint: 'only examples/debian needs them; EPEL may carry debian-keyring' },
  },
  {
    name: 'QEMU',
    why: 'boots the disks in tests',
    neededFor: 'test',
    programs: ['qemu-system-x86_64', '/usr/libexec/qemu-kvm'],
    packages: { debian: ['qemu-system-x86'], fedora: ['qemu-system-x86-core'], enterprise: ['qemu-kvm'] },
    when: ({ architecture }) => architecture === 'x64',
  },
  {
    name: 'EFI firmware',
    why: 'QEMU boots the disks with it, as a real machine would',
    neededFor: 'test',
    files: [
      '/usr/share/OVMF/OVMF_CODE_4M.fd',
      '/usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2',
      '/usr/share/edk2/ovmf/OVMF_CODE.fd',
    ],
    packages: packages(['ovmf'], ['edk2-ovmf']),
    when: ({ architecture }) => architecture === 'x64',
  },
  {
    name: 'QEMU for arm64',
    why: 'boots disks for arm64 in tests, emulated where the machine is another',
    neededFor: 'test',
    programs: ['qemu-system-aarch64', '/usr/libexec/qemu-kvm'],
    packages: { debian: ['qemu-system-arm'], fedora: ['qemu-system-aarch64-core'], enterprise: ['qemu-kvm'] },
  },
  {
    name: 'EFI firmware for arm64',
    why: 'QEMU boots the disks with it, as a real machine would',
    neededFor: 'test',
    files: ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/edk2/aarch64/QEMU_EFI.fd'],
    packages: packages(['qemu-efi-aarch64'], ['edk2-aarch64']),
  },
  {
    name: 'emulation of arm64',
    why: 'builds images for arm64 in tests',
    neededFor: 'test',
    programs: ['qemu-aarch64-static', 'qemu-aarch64'],
    packages: packages(['qemu-user-static'], ['qemu-user-static-aarch64']),
    when: ({ architecture }) => architecture === 'x64',
  },
  {
    name: 'emulation of amd64',
    why: 'builds images for amd64 in tests',
    neededFor: 'test',
    programs: ['qemu-x86_64-static', 'qemu-x86_64'],
    packages: packages(['qemu-user-static'], ['qemu-user-static-x86']),
    when: ({ architecture }) => architecture === 'arm64',
  },
  {
    name: 'arch-test',
    why: 'tells mmdebstrap whether the packages of another architecture can run, in a long test',
    neededFor: 'test',
    programs: ['arch-test'],
    packages: { debian: ['arch-test'], fedora: [], enterprise: [] },
    otherwise: { hint: 'only a long test needs it' },
  },
  {
    name: 'git-lfs',
    why: 'fetches what git repositories keep in Git LFS in tests',
    neededFor: 'test',
    programs: ['git-lfs'],
    packages: packages(['git-lfs'], ['git-lfs']),
  },
  {
    name: 'qemu-img',
    why: 'checks qcow2 and vmdk disks in tests',
    neededFor: 'test',
    programs: ['qemu-img'],
    packages: packages(['qemu-utils'], ['qemu-img']),
  },
  {
    name: 'getfattr',
    why: 'reads extended attributes of images in tests',
    neededFor: 'test',
    programs: ['getfattr'],
    packages: packages(['attr'], ['attr']),
  },
  {
    name: 'xorriso',
    why: 'reads iso disks in tests',
    neededFor: 'test',
    programs: ['xorriso'],
    packages: packages(['xorriso'], ['xorriso']),
  },
  {
    name: 'systemd-analyze',
    why: 'checks the units of deploy/ in tests; nothing of systemd is started',
    neededFor: 'test',
    programs: ['systemd-analyze'],
    packages: packages(['systemd'], ['systemd']),
  },
  {
    name: 'Chromium',
    why: 'looks at the Temporal Web UI in tests',
    neededFor: 'test',
    programs: CHROMIUM_PROGRAMS,
    // Without windows it is a third smaller.
    packages: { debian: ['chromium-headless-shell'], fedora: ['chromium-headless'], enterprise: [] },
    otherwise: { hint: 'only a test needs it; EPEL carries chromium-headless' },
  },
  {
    name: 'cosign',
    why: 'verifies attestations in tests',
    neededFor: 'test',
    programs: ['cosign'],
    packages: { debian: ['cosign'], fedora: [], enterprise: [] },
    otherwise: { hint: "only a test needs it; it is in sigstore's releases" },
  },
  {
    name: 'promtool',
    why: 'checks the alert rules in tests',
    neededFor: 'test',
    programs: ['promtool'],
    packages: { debian: ['promtool'], fedora: [], enterprise: [] },
    otherwise: { hint: 'only a test needs it; it is in the releases of Prometheus' },
  },
];

/** The tools that a machine needs for a purpose. */
export function toolsFor(purpose: Purpose, machine: Machine): HostTool[] {
  const reach = PURPOSES.indexOf(purpose);
  return HOST_TOOLS.filter(
    (tool) => PURPOSES.indexOf(tool.neededFor) <= reach && (tool.when === undefined || tool.when(machine)),
  );
}
