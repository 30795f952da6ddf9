/** The `claim` activity: this host promises a slot and space to a branch, or says why not. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { Architecture } from '../../model/base/host.ts';
import type { ClaimInput } from '../../model/contract/host.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { spaceOf, type Space } from './space.ts';
import { claimLease, forgetRequest } from './leases.ts';
import { podmanInfo } from '../tools/podman/podman.ts';
import type { HostBody, HostContext } from './work-directory.ts';

/**
 * For how many of its pauses a waiting claim is remembered. Several hosts share the queue, so that each sees only some
 * of the attempts.
 */
const REMEMBERED_PAUSES = 10;

/** `space` reads the host's free space; by default that of its work directory and podman's storage. */
async function claimHost(
  host: HostContext,
  input: ClaimInput,
  _context: unknown,
  space: () => Promise<Space> = hostSpace(host),
): Promise<ActivityAnswer<'claim'>> {
  if (input.exclude.includes(host.name)) {
    await forgetRequest(host, input);
    // Not the kind of a busy host, so that the workflow can tell whether waiting may help.
    throw new FlightlineError(
      'no-host',
      `${host.name} is excluded for this branch: the branch failed there, or the host was lost`,
    );
  }
  const unfit = whyUnfit(host, input);
  if (unfit !== null) {
    await forgetRequest(host, input);
    throw new FlightlineError('no-host', unfit);
  }
  const { release, runId, branch, slot, requestedAt } = input;
  const now = new Date();
  const seenUntil = new Date(now.getTime() + REMEMBERED_PAUSES * input.timing.claimRetry).toISOString();
  const decision = await claimLease(
    host,
    { release, runId, branch, slot, space: input.space, requestedAt, seenUntil },
    input.timing,
    space,
    now,
  );
  if (!decision.granted) throw new FlightlineError(decision.kind, decision.reason);
  return { host: host.name, transfers: host.configuration.limits.transfer };
}

/** Why this host never does such work; null when it does. */
function whyUnfit(host: HostContext, { architecture, slot }: ClaimInput): string | null {
  const { name } = host;
  if (!host.architectures.includes(architecture)) return `${name} does not build for ${architecture}`;
  return slot === 'disk' && !makesDisksFor(host, architecture)
    ? `${name} builds for ${architecture} by emulation, and makes no disks so (emulatedDisks)`
    : null;
}

/** Whether the operator lets this host make disks of an architecture. */
export function makesDisksFor(
  { architecture: own, architectures, configuration }: HostContext,
  architecture: Architecture,
): boolean {
  return architectures.includes(architecture) && (architecture === own || configuration.emulatedDisks);
}

/** @throws FlightlineError `architecture` on a host that {@link makesDisksFor} is not true for. */
export function requireDisksFor(host: HostContext, architecture: Architecture): void {
  if (makesDisksFor(host, architecture)) return;
  throw new FlightlineError('architecture', `${host.name} makes no disks for ${architecture}`);
}

/** The space of the host's work directory and of podman's storage. */
export function hostSpace(host: Pick<HostContext, 'work'>): () => Promise<Space> {
  return async () => {
    // When podman does not answer, claims go on: the build will report what is wrong with it.
    const graphRoot = await podmanInfo().then(
      (info) => info.graphRoot,
      () => undefined,
    );
    return spaceOf(graphRoot ? [host.work.path, graphRoot] : [host.work.path]);
  };
}

export default claimHost satisfies HostBody<'claim'>;
