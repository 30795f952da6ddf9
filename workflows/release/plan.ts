/** The plan of a release: its request, with everything mutable resolved. Pure. */
import type { Architecture } from '../../model/base/host.ts';
import type { BuildInput } from '../../model/contract/build.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { ResolveResult } from '../../model/contract/control.ts';
import type { TagMove } from '../../model/tags/tag-move.ts';
import { pulledRepositories } from '../../model/device/signature-policy.ts';
import { DISK_TYPES, builderOptions } from '../../model/spec/disk.ts';
import { buildOptions } from '../../model/spec/build-options.ts';
import { secretInputs } from '../../model/spec/enrollment.ts';
import { failureOf, type Failure } from '../../model/failure/failure.ts';
import { needsEntitlement } from '../../model/oci/red-hat.ts';
import type { BootTest, ReleaseRequest } from '../../model/spec/request.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { requestedRuns, type RequestedRun } from '../../model/release/stage-table.ts';

/** A request and what was looked up for it. A retry with a changed request makes a new one. */
export interface Plan {
  readonly request: ReleaseRequest;
  readonly resolved: ResolveResult;
}

/** The members of a request that identify the release. A retry cannot change them. */
const FIXED = ['repository', 'tag', 'key', 'architecture', 'platforms'] as const;

/**
 * Why a release cannot go on with another request; `undefined` when it can.
 *
 * @param moved each `repository:tag` that was moved already, which the record must name
 */
export function refusalOf(
  before: ReleaseRequest,
  after: ReleaseRequest,
  moved: readonly string[] = [],
): Failure | undefined {
  const changed = FIXED.filter((name) => String(before[name]) !== String(after[name]));
  const tags = tagNames(after);
  const leftBehind = moved.filter((name) => !tags.includes(name));
  if (changed.length === 0 && leftBehind.length > 0) {
    return failureOf('invalid-input', `a retry cannot leave ${leftBehind.join(', ')} behind, tagged already`, {
      remedy: {
        action: 'keep these tags and disks in the spec, or cancel the release and start another one',
        then: null,
      },
    });
  }
  if (changed.length === 0) return undefined;
  const what = changed.map((name) => `${name} from ${String(before[name])} to ${String(after[name])}`).join(', ');
  return failureOf('invalid-input', `a retry cannot change the ${what}`, {
    remedy: { action: 'start a release of its own for it with `flightline run`', then: null },
  });
}

/** Every `repository:tag` that a release moves. */
function tagNames(request: ReleaseRequest): string[] {
  return [
    ...diskRepositories(request).map((repository) => `${repository}:${request.tag}`),
    ...imageTags(request).map((tag) => `${request.repository}:${tag}`),
  ];
}

/** Repositories of disks that are published. */
function diskRepositories(request: ReleaseRequest): string[] {
  return request.disks.filter((disk) => disk.publish !== 'none').map((disk) => disk.repository);
}

/** Every repository that is signed and tagged in. */
export function signedRepositories(request: ReleaseRequest): string[] {
  return [request.repository, ...diskRepositories(request), request.recordRepository];
}

/** The tags that the image gets. */
function imageTags(request: ReleaseRequest): string[] {
  return [request.tag, ...request.alsoTag];
}

/** The tags that the image's signatures are for: devices verify the name that they pull. */
export function signedTags(request: ReleaseRequest): string[] {
  return [...new Set([...imageTags(request), request.updateFrom])];
}

/** Whether a person may be asked before tags move: what an update costs is known only once the image is verified. */
export function mayAskApproval({ request, resolved }: Plan): boolean {
  return request.approval !== undefined || resolved.approval === true || request.maxUpdate !== undefined;
}

/**
 * @param publicKey from the sign worker; used with `verification: bake` only
 * @param platform one of several
 */
export function buildInput(
  identity: ReleaseIdentity,
  { request, resolved }: Plan,
  publicKey: string | null,
  platform?: Architecture,
): BuildInput {
  const { repository, tag, buildArgs, commit, source, timing } = request;
  const { context, builder, fresh } = resolved;
  const architecture = platform ?? request.architecture;
  const imageInputs = resolved.platforms?.find((one) => one.platform === platform)?.imageInputs ?? resolved.imageInputs;
  const bases = resolved.bases.filter((base) => base.platform === platform);
  return {
    ...identity,
    repository,
    tag,
    context,
    imageInputs,
    bases,
    buildArgs,
    architecture,
    ...(platform && { platform }),
    commit,
    source,
    timing,
    pushTo: [repository, ...diskRepositories(request)],
    ...(builder && { builder, ...configurationToTry(request, resolved) }),
    fresh,
    ...(request.verification && {
      trust: { key: request.key, publicKey: publicKey ?? '', repositories: pulledRepositories(request) },
    }),
    ...buildOptions(request),
    ...secretInputs(request),
  };
}

/**
 * What the builder is asked about its configuration before there is an image: about one run of disks. An iso asks
 * package servers or needs its installer, and other types of the run get the same answer.
 */
function configurationToTry(
  request: ReleaseRequest,
  { builderConfig }: ResolveResult,
): Pick<BuildInput, 'configuration'> {
  const run = requestedRuns(request).find(({ types }) => types.every((type) => DISK_TYPES[type].family === 'disk'));
  if (!builderConfig || !run) return {};
  const { rootfs, driver } = request.builder;
  return {
    configuration: {
      format: builderConfig.format,
      types: run.types,
      rootfs,
      ...(driver && { driver }),
      ...builderOptions(request.builder),
    },
  };
}

/** The boot test of a request, when its disk is one of these types. */
export function bootTestOf(request: Pick<ReleaseRequest, 'bootTest'>, types: readonly string[]): BootTest | undefined {
  const { bootTest } = request;
  return bootTest && types.includes(bootTest.disk) ? bootTest : undefined;
}

/** The input of a builder run for an image, that of its platform, and the bases that it was built on, if known. */
export function diskBuildInput(
  identity: ReleaseIdentity,
  plan: Plan,
  run: RequestedRun,
  {
    digest,
    bases = plan.resolved.bases.filter(({ platform }) => platform === run.platform),
  }: { digest: string; bases?: readonly PinnedImage[] | undefined },
): DiskBuildInput {
  const { request, resolved } = plan;
  const { repository, tag, updateFrom, timing } = request;
  // The builder installs packages for an iso only; disks are made from the image alone.
  const isInstaller = run.types.some((type) => DISK_TYPES[type].installer);
  const hasPackages = !isInstaller && run.types.some((type) => DISK_TYPES[type].family === 'iso');
  const entitled = needsEntitlement(bases) && hasPackages;
  if (!resolved.builder) throw new Error('disks are asked for, and no builder was resolved');
  return {
    ...identity,
    branch: run.subject,
    ...(run.platform && { platform: run.platform }),
    image: { repository, tag, digest },
    updateFrom,
    builder: resolved.builder,
    ...(isInstaller && { installer: resolved.installer }),
    builderConfig: resolved.builderConfig,
    context: resolved.context,
    rootfs: request.builder.rootfs,
    types: run.types,
    architecture: run.platform ?? request.architecture,
    ...(bootTestOf(request, run.types) && { keepSlot: true }),
    timing,
    ...(entitled ? { entitled } : {}),
    ...(request.builder.driver && { driver: request.builder.driver }),
    ...builderOptions(request.builder),
  };
}

/**
 * A text that is equal for builder runs that make and publish the same. Of the context only the builder configuration
 * counts.
 */
export function builderRunKey(
  input: DiskBuildInput,
  run: RequestedRun,
  request: Pick<ReleaseRequest, 'keepFiles' | 'bootTest' | 'gates'>,
): string {
  const { image, builder, installer, builderConfig, rootfs, types } = input;
  return JSON.stringify([
    image.digest,
    builder.digest,
    installer?.digest ?? null,
    builderConfig?.digest ?? null,
    rootfs,
    types,
    request.keepFiles,
    bootTestOf(request, types) ?? null,
    run.disks.map((disk) => [disk.type, disk.publish, disk.compress, disk.repository]),
    builderOptions(input),
    input.driver ?? null,
    input.updateFrom,
    request.gates ?? null,
  ]);
}

/** The tags to move, in order: each disk's, the image's, then further ones. */
export function tagMoves(
  { request, resolved }: Plan,
  image: string,
  disks: readonly { type: string; digest: string | null }[],
): TagMove[] {
  const { repository, tag, alsoTag, tagPolicy } = request;
  return [
    // What stands under a disk's tag is a leftover, or belongs to an image of this repository.
    ...request.disks.flatMap((disk): TagMove[] => {
      const digest = disks.find(({ type }) => type === disk.type)?.digest;
      return digest ? [{ repository: disk.repository, tag, digest, expected: { leftBy: repository } }] : [];
    }),
    { repository, tag, digest: image, expected: tagPolicy === 'move' ? 'any' : resolved.existingTag },
    ...alsoTag.map((other): TagMove => ({ repository, tag: other, digest: image, expected: 'any' })),
  ];
}

// How much space a branch is expected to need on a host. Only claims depend on it.
const GIB = 1024 ** 3;

/** Bytes for `podman build`: bases, layers and the image, whose sizes are not known yet. */
export const BUILD_SPACE = 4 * GIB;

/**
 * Bytes for a builder run: the image in the host's storage, the builder's copy of its files, a file for each type, and
 * one more for publishing, which compresses or packs one file at a time.
 */
export function builderRunSpace(imageSize: number, types: readonly string[]): number {
  return GIB + imageSize * (types.length + 3);
}
