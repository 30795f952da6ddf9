/** What a failed podman means, read from what it printed. Pure. */
import { registryVerdict, type RegistryVerdict } from '../registry/failure.ts';

/** A kind, and a remedy where the kind's own says too little. */
export type Verdict = RegistryVerdict;

const NO_SPACE = /no space left on device|disk quota exceeded/i;

/** A host on which podman itself cannot work; texts of podman 5.4, netavark 1.14, crun 1.21 and runc 1.1. */
const HOST_SETUP =
  /unable to execute nft|could not find "netavark"|cgroups in hybrid mode not supported|setting rlimit|setrlimit|OCI runtime "[^"]*" not found|database .* does not match|database configuration mismatch|must be (?:run as )?root|policy\.json: no such file|kernel does not support overlay/i;

/** What it means that a pull, a push or any other command than `build` failed. `unexpected` when nothing is known about it. */
export function classifyPodman(output: string): Verdict {
  if (HOST_SETUP.test(output)) return { kind: 'host-setup' };
  const verdict = registryVerdict(output);
  // No key of the worker's is in play: what podman checks images by is the machine's own policy.json.
  if (verdict?.kind === 'signature-rejected' || verdict?.kind === 'key-missing') {
    return {
      kind: 'signature-rejected',
      remedy: "the host's own policy.json refuses this image: look at it there, then `flightline retry RELEASE`",
    };
  }
  return verdict ?? { kind: 'unexpected' };
}

/** Exit status of a process that SIGKILL ended, as a shell and a container runtime report it (128 + 9). */
const KILLED = 137;

/**
 * What it means that `podman build` failed. What a RUN printed is not looked at, but for a full disk: a RUN that cannot reach a
 * server is the Containerfile's affair.
 */
export function classifyBuild(output: string): Verdict {
  if (NO_SPACE.test(output)) return { kind: 'disk-full' };
  const lines = output.split('\n');
  const error = lines.findLast((line) => line.startsWith('Error: ')) ?? '';
  // A container that cannot start looks like a RUN that fails; only this line before it tells.
  const start = lines.findLast((line) => line.startsWith('error running container: ')) ?? '';
  if (HOST_SETUP.test(start) || HOST_SETUP.test(error)) return { kind: 'host-setup' };
  const status = /while running runtime: exit status (\d+)/.exec(error)?.[1];
  if (status !== undefined) return { kind: Number(status) === KILLED ? 'out-of-memory' : 'containerfile' };
  if (/building at STEP|parse error|unknown instruction|no FROM statement|syntax error/i.test(error)) {
    return { kind: 'containerfile' };
  }
  return { kind: 'unexpected' };
}
