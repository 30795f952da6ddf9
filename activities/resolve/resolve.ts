/** The stage `resolve`: looks up everything mutable once, and refuses what it can before anything is built. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { ResolveInput, ResolveResult } from '../../model/contract/control.ts';
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { InputParts, KeptPlatform, PinnedImage, ReleaseRecord, ReusedDisk } from '../../model/release/record.ts';
import { formatReference } from '../../model/oci/reference.ts';
import { requestedInstaller, type ReleaseRequest } from '../../model/spec/request.ts';
import { diskSubject } from '../../model/stage/stage.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { builtAt, inputParts, withContext } from './change.ts';
import { imageInputsOf } from './image-inputs.ts';
import { inspectContext } from '../context/context-artifact.ts';
import { sendGitContext } from '../context/git-context.ts';
import { summariseContext } from '../context/summary.ts';
import { asksApproval, byContext, byRecordedContext } from './inputs-by-context.ts';
import { LIST_PUBLIC_KEY } from '../trust/keys.ts';
import { sinceLastRelease, sinceOwnTag, verdictsTakenOver, type SinceLast } from './last-release.ts';
import { requireFree, requireOwnTags, requirePermitted } from './permitted.ts';
import { builderFrom, pin, pinGates, rechunkerFrom } from './pin.ts';
import { pinnedReasons, reasonOf, recordedReason } from './reason.ts';
import { findForPlatform } from '../image/bases/find-for-platform.ts';
import { requireRedHatLogin } from '../image/red-hat.ts';
import { repositoryOf } from '../tools/podman/build.ts';
import { type RegistryAccess, withRegistryAccess } from '../tools/registry/access.ts';
import { allEnded } from '../tools/together.ts';
import type { WorkerBody } from '../server.ts';

type Resolved = Omit<ResolveResult, 'attempts'>;

/** The activity `resolve`. Reads only, except that it packs a git context. A failure ends the release. */
async function resolveRelease(
  { configuration }: { configuration: WorkerConfiguration },
  { request }: ResolveInput,
): Promise<ActivityAnswer<'resolve'>> {
  // Before fetching a context: what may not run here needs no further work.
  if (request.disks.length > 0) builderFrom(request, configuration);
  if (request.rechunk) rechunkerFrom(request.rechunk.image, configuration);
  requirePermitted(configuration, request);
  let reading: Promise<ContextSummary> | undefined;
  const context = () => (reading ??= readContext(configuration, request));
  const since = await compareWithLast(configuration, request, context);
  if (since?.change === 'none') return { ...ofRecord(request, since.record), ...whatIsNew(since, request) };
  return lookUp(configuration, request, await context(), since);
}

/** Sends a git context. Reads the facts of the context, sent by whomever. */
function readContext(configuration: WorkerConfiguration, request: ReleaseRequest): Promise<ContextSummary> {
  return withRegistryAccess(configuration, ownRepositories(request), async (access) => {
    const sent = await contextArtifact(access, request, configuration);
    return summariseContext(request, sent.digest, await inspectContext(access, sent, configuration));
  });
}

/**
 * With `rebuild: when-changed`: what has changed since the last release; null without it.
 *
 * @param context called only when the last record does not know the request's context
 */
export async function compareWithLast(
  configuration: WorkerConfiguration,
  request: ReleaseRequest,
  context: () => Promise<ContextSummary>,
): Promise<SinceLast | null> {
  if (!request.rebuild) return null;
  return withRegistryAccess(configuration, ownRepositories(request), (access) =>
    sinceLastRelease(access, request, configuration, async (record) => {
      const recorded = record.inputs?.parts;
      const now = recorded && withContext(request, recorded);
      // Another commit may name other images. The recorded ones do not matter then, and may be gone.
      const same = now !== undefined && now.commit === recorded!.commit && now.place === recorded!.place;
      const known = same ? await byRecordedContext(record, request, configuration) : null;
      return known ?? byContext(record, await context(), request, configuration);
    }),
  );
}

/** The inputs of a record's release, for a release with the same inputs. */
function ofRecord(request: ReleaseRequest, { inputs }: ReleaseRecord): Omit<Resolved, 'unchanged'> {
  const { image, base, builder, installer, gates, context } = inputs!;
  return {
    context: { repository: request.contextRepository, digest: context },
    imageInputs: image,
    bases: base,
    builder,
    ...(installer && { installer }),
    ...(gates && { gates }),
    builderConfig: null,
    existingTag: null,
  };
}

/** The repositories that a release reads before it has built anything. */
export function ownRepositories(
  request: Pick<ReleaseRequest, 'repository' | 'contextRepository' | 'recordRepository'>,
): string[] {
  return [request.repository, request.contextRepository, request.recordRepository];
}

/** Looks up what the request and its context name. Reads only. `since` is the result of {@link compareWithLast}. */
export async function lookUp(
  configuration: WorkerConfiguration,
  request: ReleaseRequest,
  context: ContextSummary,
  since: SinceLast | null,
): Promise<Resolved> {
  const builderReference = request.disks.length > 0 ? builderFrom(request, configuration) : null;
  const parts = inputParts(request, context);
  const installs = requestedInstaller(request);
  const rechunks = request.rechunk?.image;
  const named = [builderReference && formatReference(builderReference), installs, rechunks].flatMap((one) => one ?? []);
  const repositories = [...ownRepositories(request), ...named.map(repositoryOf)];
  return withRegistryAccess(configuration, repositories, async (access): Promise<Resolved> => {
    const [, image, gates, builder, installer, rechunker, existingTag] = await allEnded([
      requireOwnTags(configuration, request),
      imageInputsOf(configuration, request, { ...context, parts }),
      pinGates(configuration, request.gates),
      builderReference
        ? pinWithLogin(access, formatReference(builderReference), 'builder.image')
        : Promise.resolve(null),
      installs ? findInstaller(access, installs, request) : Promise.resolve(undefined),
      rechunks ? pinWithLogin(access, rechunks, 'image.rechunk') : Promise.resolve(undefined),
      access.repository(request.repository).headManifest(request.tag),
    ]);
    const resolved = {
      unchanged: null,
      context: { repository: request.contextRepository, digest: context.digest },
      ...image,
      builder,
      ...(installer && { installer }),
      ...(gates && { gates }),
      ...(rechunker && { rechunker }),
      builderConfig: context.builderConfig,
      existingTag,
      ...(asksApproval(configuration, request) && { approval: true }),
      parts,
    };
    if (since) return { ...resolved, ...whatIsNew(since, request, resolved.bases) };
    if (request.tagPolicy === 'move') return resolved;
    if (resolved.existingTag !== null) {
      return { ...resolved, ...(await whatIsMissing(access, request, resolved, configuration)) };
    }
    await requireFree(configuration, request);
    return resolved;
  });
}

async function contextArtifact(access: RegistryAccess, request: ReleaseRequest, configuration: WorkerConfiguration) {
  const repository = request.contextRepository;
  if (request.context.kind === 'artifact') return { repository, digest: request.context.digest };
  return { repository, digest: await sendGitContext(access, repository, request.context, configuration.git.schemes) };
}

async function pinWithLogin(access: RegistryAccess, image: string, where: string): Promise<PinnedImage> {
  await requireRedHatLogin(access, [image], 'the control worker');
  return pin(access, image, where);
}

async function findInstaller(access: RegistryAccess, image: string, request: ReleaseRequest): Promise<PinnedImage> {
  await requireRedHatLogin(access, [image], 'the control worker');
  return findForPlatform(access, image, 'installer.image', request.architecture);
}

/**
 * The parts of an earlier release that are not made again, and why the rest is.
 *
 * @param bases as they are now: one may have changed since they were compared
 */
function whatIsNew(
  since: SinceLast,
  request: ReleaseRequest,
  bases: readonly PinnedImage[] = [],
): Pick<Resolved, 'unchanged' | 'reuse' | 'kept' | 'gated' | 'fresh' | 'reason'> {
  const reason = recordedReason(since.reason);
  if (since.change === 'none') return { unchanged: since.record, reason };
  if (since.change === 'image') {
    const before = since.record?.inputs?.base ?? [];
    const isSame = ({ platform }: KeptPlatform) =>
      pinnedReasons(
        'base',
        before,
        bases.filter((base) => base.platform === platform),
      ).length === 0;
    const same = since.kept.filter(isSame);
    const kept = same.length > 0 && { kept: same, ...verdictsTakenOver(since.record, same) };
    return { unchanged: null, reason, ...kept, ...(since.fresh && { fresh: new Date().toISOString() }) };
  }
  const { digest, platforms, certificateEnds, certificateRequest } = since.record.image;
  const disks = reusedDisks(since, request);
  return {
    unchanged: null,
    reason,
    ...verdictsTakenOver(since.record, ['image', ...disks.map(({ type }) => type)]),
    reuse: {
      digest: digest!,
      ...(platforms && { platforms }),
      builtAt: builtAt(since.record),
      certificateEnds,
      certificateRequest,
      disks,
      attestations: since.record.attestations,
    },
  };
}

/** A disk contains the name that its machines follow. One that follows another is made again. */
function reusedDisks(
  { record, differences }: Extract<SinceLast, { change: 'none' | 'part' }>,
  request: ReleaseRequest,
): ReusedDisk[] {
  const origin = `${request.repository}:${request.updateFrom}`;
  const again = new Set(differences.map(({ subject }) => subject));
  return record.disks.flatMap(({ type, digest, file, updateFrom, platforms }) => {
    const subjects = platforms?.map(({ platform }) => diskSubject(type, platform)) ?? [type];
    const inputs = Object.fromEntries(
      Object.entries(record.inputs?.disks ?? {}).filter(([subject]) => subjects.includes(subject)),
    );
    const isWanted = updateFrom === origin && request.disks.some((disk) => disk.type === type);
    const isKnown = Object.keys(inputs).length === subjects.length;
    return isWanted && !again.has(type) && isKnown
      ? [{ type, digest, file, ...(platforms && { platforms }), inputs }]
      : [];
  });
}

/**
 * What to make for an existing tag. With `tagPolicy: create` nothing complete is replaced, and what is missing is made.
 *
 * @throws FlightlineError `tag-exists` when the request asks for something else under the same name.
 */
async function whatIsMissing(
  access: RegistryAccess,
  request: ReleaseRequest,
  resolved: Resolved & { parts: InputParts },
  configuration: WorkerConfiguration,
): Promise<Pick<Resolved, 'unchanged' | 'reuse' | 'gated' | 'fresh' | 'reason'>> {
  const { parts, context, bases, builder, installer, gates, approval = false } = resolved;
  const current = { request, parts, context: context.digest, bases, builder, installer, gates, approval };
  const since = await sinceOwnTag(access, request, configuration, () => Promise.resolve(current));
  const replaced = since.differences.filter(({ replaces }) => replaces);
  if (replaced.length === 0) return whatIsNew(since, request);
  const name = `${request.repository}:${request.tag}`;
  throw new FlightlineError(
    'tag-exists',
    `${name} exists, and it is not what this release would make: ${reasonOf(replaced)}`,
    Object.hasOwn(configuration.keys, request.key) ? {} : { remedy: LIST_PUBLIC_KEY },
  );
}

export default resolveRelease satisfies WorkerBody<'resolve'>;
