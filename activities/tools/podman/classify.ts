/** Tells by podman's output why it failed. Pure. */
import { classifyRegistry, type RegistryVerdict } from '../registry/classify.ts';
import { anyOf } from '../any-of.ts';

/** A kind, and a remedy where the kind's own says too little. */
export type Verdict = RegistryVerdict;

const NO_SPACE = /no space left on device|disk quota exceeded/i;

/** A host on which podman cannot work. Texts of podman 5.4, netavark 1.14, crun 1.21 and runc 1.1. */
const HOST_SETUP = anyOf(
  /unable to execute nft|could not find "netavark"|cgroups in hybrid mode not supported|setting rlimit/i,
  /setrlimit|OCI runtime "[^"]*" not found|database .* does not match|database configuration mismatch/i,
  /must be (?:run as )?root|policy\.json: no such file|kernel does not support overlay/i,
);

/** podman runs `cpp` on a Containerfile whose name ends in `.in`. */
const NO_PREPROCESSOR = /cpp: not found|"cpp": executable file not found/;

/** Errors about an instruction in which podman names no step. */
const AT_CONTAINERFILE = /resolving step |creating build container: |no stage or image found with that name/;

/**
 * Why a pull, a push or any other command than `build` failed; `unexpected` when unknown.
 */
export function classifyPodman(output: string): Verdict {
  if (HOST_SETUP.test(output)) return { kind: 'host-setup' };
  const verdict = classifyRegistry(output);
  // This is about no key of the worker: podman checks images by the machine's own policy.json.
  if (verdict?.kind === 'signature-rejected' || verdict?.kind === 'key-missing') {
    return {
      kind: 'signature-rejected',
      remedy: "the host's own policy.json refuses this image: look at it there",
    };
  }
  return verdict ?? { kind: 'unexpected' };
}

/**
 * An image or layer that was removed while podman looked at it: podman does not lock its storage for a whole build, and
 * a clean-up may run beside it.
 */
const REMOVED_MEANWHILE = /checking if cached image exists from a previous build: [^\n]*$|layer not known$/;

/** How a `podman build` failed, without the output of RUN steps. */
export interface FailedBuild {
  /** Podman's last words, `Error: …`. */
  error: string;
  /** `true` when a step had begun. */
  begun: boolean;
  /** The runtime's error about a container that it could not start; null when all started. */
  startFailure: string | null;
  /** `true` when a file system that the build writes to was full meanwhile. */
  diskFull: boolean;
  /** `true` when the kernel killed a process meanwhile, for lack of memory. */
  outOfMemory: boolean;
}

/** Why a `podman build` failed. */
interface BuildVerdict extends Verdict {
  /** A clean-up removed what podman was looking at: the same build may succeed at once. */
  again?: boolean;
}

/** Why `podman build` failed. A RUN that cannot reach a server is the Containerfile's fault. */
export function classifyBuild({ error, begun, startFailure, diskFull, outOfMemory }: FailedBuild): BuildVerdict {
  if (startFailure !== null && HOST_SETUP.test(startFailure)) return { kind: 'host-setup' };
  if (/while running runtime: exit status \d+$/.test(error)) {
    if (diskFull) return { kind: 'disk-full' };
    // Also of status 137 (128 + SIGKILL): a shell reports it of any process, and anything may have ended that.
    return { kind: outOfMemory ? 'out-of-memory' : 'containerfile' };
  }
  // The cause follows the text of the step.
  const atStep = /^Error: building at STEP "[^]*": (.+)$/.exec(error);
  const cause = atStep?.[1] ?? error;
  if (NO_SPACE.test(cause)) return { kind: 'disk-full' };
  if (HOST_SETUP.test(cause) || NO_PREPROCESSOR.test(cause)) return { kind: 'host-setup' };
  if (REMOVED_MEANWHILE.test(cause)) return { kind: 'unexpected', again: true };
  // Before its first step podman has only read the Containerfile.
  if (atStep || !begun || AT_CONTAINERFILE.test(error)) return { kind: 'containerfile' };
  return { kind: 'unexpected' };
}
