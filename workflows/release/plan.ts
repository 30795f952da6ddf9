/** What a release is to do: its request with everything mutable resolved. Pure. */
import type { BuildInput } from '../../model/contract/build.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import type { ReleaseIdentity } from '../../model/release/identity.ts';
import type { ResolveResult } from '../../model/contract/control.ts';
import type { TagMove } from '../../model/tags/tag-move.ts';
import { pulledRepositories } from '../../model/device/signature-policy.ts';
import { DISK_TYPES } from '../../model/spec/disk.ts';
import { buildOptions } from '../../model/spec/build-options.ts';
import { secretInputs } from '../../model/spec/enrollment.ts';
import type { Failure } from '../../model/release/failure.ts';
import { failureOf } from '../../model/release/failure.ts';
import { needsEntitlement } from '../../model/device/registration.ts';
import type { BootTest, ReleaseRequest } from '../../model/spec/request.ts';
import type { RequestedRun } from '../../model/release/stage-table.ts';

/** A request and what was looked up for it. A retry with a changed request makes a new one. */
export interface Plan {
  readonly request: ReleaseRequest;
  readonly resolved: ResolveResult;
}

/** The members of a request that make the release what it is: with another one of these it would be another release. */
const FIXED = ['repository', 'tag', 'key', 'architecture'] as const;

/** Why a release cannot go on with another request; `undefined` when it can. */
export function refusalOf(before: ReleaseRequest, after: ReleaseRequest): Failure | undefined {
  const changed = FIXED.filter((name) => before[name] !== after[name]);
  if (changed.length === 0) return undefined;
  const what = changed.map((name) => `${name} from ${before[name]} to ${after[name]}`).join(', ');
  return failureOf('invalid-input', `a retry cannot change the ${what}`, {
    remedy: 'start a release of its own for it with `flightline run`',
  });
}

/** Repositories of disks that are published. */
function diskRepositories(request: ReleaseRequest): string[] {
  return request.disks.filter((disk) => disk.publish !== 'none').map((disk) => disk.repository);
}

/** Every repository that is signed and tagged in. */
export function signedRepositories(request: ReleaseRequest): string[] {
  return [request.repository, ...diskRepositories(request), request.recordRepository];
}

/** The names that the image's signatures are for. */
export function imageTags(request: ReleaseRequest): string[] {
  return [request.tag, ...request.alsoTag];
}

/** `publicKey`: what the sign worker told; used with `verification: bake` only. */
export function buildInput(
  identity: ReleaseIdentity,
  { request, resolved }: Plan,
  publicKey: string | null,
): BuildInput {
  const { repository, tag, buildArgs, architecture, commit, source, timing } = request;
  const { context, imageInputs, bases, builder, fresh } = resolved;
  return {
    ...identity,
    repository,
    tag,
    context,
    imageInputs,
    bases,
    buildArgs,
    architecture,
    commit,
    source,
    timing,
    pushTo: [repository, ...diskRepositories(request)],
    ...(builder && { builder }),
    ...(fresh === undefined ? {} : { fresh }),
    ...(request.verification && {
      trust: { key: request.key, publicKey: publicKey ?? '', repositories: pulledRepositories(request) },
    }),
    ...buildOptions(request),
    ...secretInputs(request),
  };
}

/** The boot test of a request, when its disk is one of these types. */
export function bootTestOf(request: Pick<ReleaseRequest, 'bootTest'>, types: readonly string[]): BootTest | undefined {
  const { bootTest } = request;
  return bootTest && types.includes(bootTest.disk) ? bootTest : undefined;
}

/** The input of a builder run for the image of a digest. */
export function diskBuildInput(
  identity: ReleaseIdentity,
  plan: Plan,
  run: RequestedRun,
  digest: string,
): DiskBuildInput {
  const { request, resolved } = plan;
  const { repository, tag, architecture, timing } = request;
  // Only for an iso the builder installs packages; disks are made of the image alone.
  const entitled = needsEntitlement(resolved.bases) && run.types.some((type) => DISK_TYPES[type].family === 'iso');
  if (!resolved.builder) throw new Error('disks are asked for, and no builder was resolved');
  return {
    ...identity,
    branch: run.subject,
    image: { repository, tag, digest },
    builder: resolved.builder,
    builderConfig: resolved.builderConfig,
    context: resolved.context,
    rootfs: request.builder.rootfs,
    types: run.types,
    architecture,
    ...(bootTestOf(request, run.types) && { keepSlot: true }),
    timing,
    ...(entitled ? { entitled } : {}),
  };
}

/**
 * Equal text for builder runs that make and publish the same; of the context only the builder's configuration counts.
 */
export function runKey(
  input: DiskBuildInput,
  run: RequestedRun,
  request: Pick<ReleaseRequest, 'keepFiles' | 'bootTest'>,
): string {
  const { image, builder, builderConfig, rootfs, types } = input;
  return JSON.stringify([
    image.digest,
    builder.digest,
    builderConfig?.digest ?? null,
    rootfs,
    types,
    request.keepFiles,
    bootTestOf(request, types) ?? null,
    run.disks.map((disk) => [disk.type, disk.publish, disk.compress, disk.repository]),
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
    // What stands under a disk's tag is a leftover, or belongs to the image whose tag this release may move.
    ...request.disks.flatMap((disk): TagMove[] => {
      const digest = disks.find(({ type }) => type === disk.type)?.digest;
      return digest ? [{ repository: disk.repository, tag, digest, expected: 'any' }] : [];
    }),
    { repository, tag, digest: image, expected: tagPolicy === 'move' ? 'any' : resolved.existingTag },
    ...alsoTag.map((other): TagMove => ({ repository, tag: other, digest: image, expected: 'any' })),
  ];
}
