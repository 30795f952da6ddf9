/**
 * What a failed builder run means. bib ends with 1 for everything, so its text decides (os-image-pipelines §1.6,
 * bib-observed "Errors"). Lines of the nested podman may be mixed in, so nothing is matched as a whole. Pure.
 */
import type { Verdict } from '../podman/classify.ts';
import { anyOf } from '../any-of.ts';

interface Rule {
  pattern: RegExp;
  verdict: Verdict;
}

/** First match wins: causes that explain others come first. */
const RULES: readonly Rule[] = [
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
  { pattern: /is not a bootc image/, verdict: { kind: 'not-bootc' } },
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
    pattern:
      /this command must be run in rootful|requires a privileged container|qemu-user-static|cannot validate the setup/,
    verdict: { kind: 'host-setup' },
  },
  {
    pattern: /no default root filesystem type|DefaultRootFs/,
    verdict: {
      kind: 'builder-configuration',
      remedy: 'set builder.rootfs (such as xfs)',
    },
  },
  {
    pattern: anyOf(
      /cannot read config|unknown keys found|<stdin> has errors|unsupported image type|cannot mix ISO\/disk/,
      /unknown or unsupported filesystem type|cannot detect build types|no installer payload/,
      /error reading disk customizations|invalid partitioning customizations|custom files are not allowed/,
      /min-free-space-percent|unsupported architecture|unknown flag|accepts 1 arg|cannot handle AWS/,
    ),
    verdict: { kind: 'builder-configuration' },
  },
  {
    pattern: /Export \S+ not found in \[|unknown progress type/,
    verdict: {
      kind: 'builder-configuration',
      remedy: 'this builder image is too old for the disk type: name a newer one under builder.image',
    },
  },
];

/** Faults of the network on the way to package repositories and registries; bib's iso types need them. */
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
 * What it means that a builder container ended with another exit code than 0. `output`: its last lines, both streams.
 */
export function classifyBuilder(output: string, exitCode: number): Verdict {
  if (exitCode === KILLED) return { kind: 'out-of-memory' };
  if (SIGNALLED.includes(exitCode) && !/^(?:panic:|fatal error:)/m.test(output)) return { kind: 'container-lost' };
  const rule = RULES.find(({ pattern }) => pattern.test(output));
  if (rule) return rule.verdict;
  if (NETWORK.test(lastErrors(output))) {
    return { kind: 'registry', remedy: 'see that the network and the package repository answer' };
  }
  return { kind: 'builder' };
}

/**
 * What every failure prints around its cause: osbuild unmounts and tells times, QEMU says farewell, the nested podman
 * looks at containers that are not its own.
 */
const NOISE = anyOf(
  /Refreshing container [0-9a-f]+|Using cgroups-v1|^(?:mount\/\S* |umount: ).*unmounted|^\s*⏱ +Duration/,
  /^qemu-system-\S+: terminating on signal/,
);

/** What a person needs to see of a failed run: its last lines without the noise around them. */
export function builderMessage(lines: readonly string[], count: number): string {
  return lines
    .filter((line) => line.trim() !== '' && !NOISE.test(line))
    .slice(-count)
    .join('\n');
}

/** Network words further up are what some stage survived. */
function lastErrors(output: string): string {
  return output.split('\n').slice(-40).join('\n');
}
