/**
 * Tells why a builder run failed. Builders always end with exit code 1, so their text decides. Lines of the nested
 * podman may be mixed in, so no text is matched as a whole. Pure.
 */
import type { Verdict } from '../podman/classify.ts';
import { anyOf } from '../any-of.ts';
import type { BuilderError, BuilderVerdict } from './driver.ts';

/** `image-unsuitable` with what the image must get. */
function unsuitable(action: string): Verdict {
  return { kind: 'image-unsuitable', remedy: action };
}

/** What the host lacks, which explains all else. */
const HOST_ERRORS: readonly BuilderError[] = [
  { pattern: /no space left on device|disk quota exceeded/i, verdict: { kind: 'disk-full' } },
  {
    pattern: /out of memory|cannot allocate memory|signal: killed|Killed process/i,
    verdict: { kind: 'out-of-memory' },
  },
  {
    pattern: anyOf(
      /\/dev\/loop\d*.*(?:inappropriate ioctl|busy|no such|failed|cannot)|losetup/i,
      /cannot find (?:an )?unused loop|no free loop/i,
    ),
    verdict: { kind: 'loop-device' },
  },
];

/** Of osbuild, osbuild/images, bootc and podman, which every builder runs. */
const ERRORS: readonly BuilderError[] = [
  {
    pattern: /no dnf in container|initializing dnf in/,
    verdict: unsuitable(
      'the iso types of this builder install packages with the dnf of the image: add it, or ask for other disk types',
    ),
  },
  {
    pattern: /could not read kernel info from container|no valid kernel modules directory|no kernel in container/,
    verdict: unsuitable('the image needs one kernel in /usr/lib/modules/VERSION, as vmlinuz and initramfs.img'),
  },
  {
    pattern: anyOf(
      /failed to run bootc (?:container inspect|install print-configuration)|failed to unmarshal bootc/,
      /bootc: (?:command )?not found|exec(?:utable file)?[^\n]*bootc[^\n]*(?:not found|No such file)/,
    ),
    verdict: unsuitable('the image needs a bootc that works, since the builder runs it: update its base'),
  },
  {
    pattern: /missing \S+ in os-release|failed to infer distro|missing required info: /,
    verdict: unsuitable('/etc/os-release of the image must have ID, VERSION_ID and NAME'),
  },
  {
    pattern: /initramfs requires ostree|failed to run lsinitrd/,
    verdict: unsuitable('the initramfs of the image must have the dracut modules that the message names'),
  },
  {
    pattern: /cannot find UEFI vendor|bootupctl[^\n]*(?:not found|No such file)|Failed to (?:run|find)[^\n]*bootupctl/,
    verdict: unsuitable('the image needs a boot loader that bootupd can install: the packages bootupd, shim and grub'),
  },
  {
    pattern:
      /cannot read selinux config|SELinux enabled, but no policy found|file_contexts[^\n]*(?:No such file|not found)/,
    verdict: unsuitable('the image needs a SELinux policy in /etc/selinux (selinux-policy-targeted), or none at all'),
  },
  {
    pattern: /image found is for unexpected architecture|requested bootc arch|no live-boot in container/,
    verdict: { kind: 'image-unsuitable' },
  },
  {
    pattern: anyOf(
      /could not access container storage|cannot find "\/var\/lib\/containers\/storage\/overlay"/,
      /image not known|no longer pulls images/,
    ),
    verdict: {
      kind: 'host-setup',
      remedy:
        "the builder does not see the host's images: podman's storage must be overlay at " +
        '/var/lib/containers/storage (`flightline doctor` checks it)',
    },
  },
  {
    pattern: /layer not known|database .* does not match/,
    verdict: {
      kind: 'host-setup',
      remedy:
        "the podman in the builder image cannot read this host's storage: use a builder as new as the host's podman",
    },
  },
  {
    pattern: anyOf(
      /no default root filesystem type|DefaultRootFs|cannot get rootfs type for container/,
      /No root filesystem specified|No install configuration found, and no filesystem specified/,
    ),
    verdict: {
      kind: 'builder-configuration',
      remedy: 'set builder.rootfs (such as xfs)',
    },
  },
  {
    pattern: anyOf(
      /^(?:useradd|usermod|chpasswd|groupadd)(?:\.local)?: (?!warning)/im,
      /can't set uid of existing user|name "[^"\n]*" doesn't conform to validating regex/,
      /(?:user|group) ID must be |(?:user|group) must be either a string/,
    ),
    verdict: {
      kind: 'builder-configuration',
      remedy: 'correct the users and groups of builder.config: the image has other users and groups than they suppose',
    },
  },
  {
    pattern: anyOf(
      /unknown keys found|error reading disk customizations|invalid partitioning customizations/,
      /custom (?:files|directories) are not allowed|errors occurred while validating custom mountpoints/,
      /firstboot (?:name|customization)|unsupported file extension for/,
      /customizations\.\S+ (?:cannot be used with|requires )|customizations\.\S+: (?:required|not supported on)/,
      /cannot (?:use disk customization|combine disk and filesystem customizations|decode Ignition config)/,
      /can't decode Ignition config|invalid partition (?:table|type)|maximum number of partitions reached/,
      /error creating (?:\S+ )*?(?:partition|volume|subvolume)\b|btrfs under lvm is not supported/,
      /kickstart (?:sudo|unattended|users)[^\n]* not compatible|unsupported kickstart options/,
      /unknown data size units|error parsing size/,
    ),
    verdict: { kind: 'builder-configuration', ofRequest: true },
  },
  {
    // An image may bring a partition table and a root file system of its own.
    pattern: anyOf(
      /<stdin> has errors|unknown or unsupported filesystem type|no installer payload|accepts 1 arg/,
      /partitioning mode (?:\S+ )?(?:set for|not supported)|unsupported partitioning mode/,
      /is smaller (?:\(\d+\) )?than the (?:requested|minimum)|unsupported root filesystem type/,
      /min-free-space-percent|unsupported architecture/,
    ),
    verdict: { kind: 'builder-configuration' },
  },
  {
    pattern: /unknown flag: /,
    verdict: {
      kind: 'builder-configuration',
      ofRequest: true,
      remedy: 'this builder does not know the flag: leave it out of builder.arguments, or name another builder.image',
    },
  },
  {
    pattern: /Export \S+ not found in \[|unknown progress type/,
    verdict: {
      kind: 'builder-configuration',
      remedy: 'this builder image is too old for the disk type: name a newer one under builder.image',
    },
  },
];

/** Network faults on the way to package repositories and registries, which bib's iso types use. */
const NETWORK = anyOf(
  /could not resolve host|temporary failure in name resolution|no such host/i,
  /connection (?:refused|reset|timed out)|i\/o timeout|TLS handshake timeout|Timeout was reached/i,
  /network is unreachable|unexpected EOF|\b(?:429 Too Many Requests|50[234] [A-Z][a-z]+)/i,
);

/**
 * Exit codes of a process that a signal ended (128 + number), and 2: a Go program that got SIGTERM or SIGINT, or
 * panicked.
 */
const KILLED = 137;
const SIGNALLED: readonly number[] = [2, 129, 130, 143];

/**
 * Why a builder container ended with an exit code other than 0.
 *
 * @param output its last lines, both streams
 * @param own the builder's own texts
 */
export function classifyBuilder(output: string, exitCode: number, own: readonly BuilderError[]): BuilderVerdict {
  if (exitCode === KILLED) return { kind: 'out-of-memory' };
  if (SIGNALLED.includes(exitCode) && !/^(?:panic:|fatal error:)/m.test(output)) return { kind: 'container-lost' };
  const rule = [...HOST_ERRORS, ...own, ...ERRORS].find(({ pattern }) => pattern.test(output));
  if (rule) return rule.verdict;
  if (NETWORK.test(lastErrors(output))) {
    return { kind: 'registry', remedy: 'see that the network and the package repository answer' };
  }
  return { kind: 'builder' };
}

/**
 * Noise around the cause of a failure: osbuild unmounts and prints times, QEMU says that it ends, the nested podman
 * complains about containers that are not its own.
 */
const NOISE = anyOf(
  /Refreshing container [0-9a-f]+|Using cgroups-v1|^(?:mount\/\S* |umount: ).*unmounted|^\s*⏱ +Duration/,
  /^qemu-system-\S+: terminating on signal/,
);

/** The last lines of a failed run, without the noise around them. */
export function builderMessage(lines: readonly string[], count: number): string {
  let isTrace = false;
  const telling = lines.filter((line) => {
    // Where a stage of osbuild failed in its Python: the exception, which is not indented, says why.
    isTrace = line.startsWith('Traceback (most recent call last)') || (isTrace && /^\s/.test(line));
    return !isTrace && line.trim() !== '' && !NOISE.test(line);
  });
  return telling.slice(-count).join('\n');
}

/** A stage may have survived network faults further up. */
function lastErrors(output: string): string {
  return output.split('\n').slice(-40).join('\n');
}
