/** Compares a release with an earlier one's record: decides `unchanged`, and what is made again. Pure. */
import { dirname } from 'node:path';
import { shortDigest } from '../../model/base/digest.ts';
import { pulledRepositories } from '../../model/device/signature-policy.ts';
import type { Architecture } from '../../model/base/host.ts';
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import type { RecordedGate } from '../../model/gate/gate.ts';
import { gateDiff, gateReasons } from '../../model/gate/gate-diff.ts';
import { buildOptions } from '../../model/spec/build-options.ts';
import { type DiskType, builderOptions } from '../../model/spec/disk.ts';
import { endsSoon, imageSecretInputs } from '../../model/spec/enrollment.ts';
import type { DiskRecord, InputParts, PinnedImage, ReleaseRecord } from '../../model/release/record.ts';
import type { NightlyTemplate } from '../../model/release/nightly.ts';
import type { ContextSource, ReleaseRequest, RequestedDisk } from '../../model/spec/request.ts';
import { imageSubject } from '../../model/stage/stage.ts';
import { formatAge } from '../../model/spec/schedule.ts';
import { goneReasons, pinnedReasons, platformReasons, shortDigestOf } from './reason.ts';

/** A request. Its tags need not be filled in, since they are no inputs. */
type AnyRequest = ReleaseRequest | NightlyTemplate;

/** A difference between the request and the record. */
export interface Difference {
  /** What is made again for it: everything, one disk, or only tags, signatures and the record. */
  subject: 'image' | DiskType | 'release';
  reason: string;
  /** `true` when something complete would be replaced, which `tagPolicy: create` forbids. */
  replaces: boolean;
  /** The only one of several that it concerns; absent where it concerns all. */
  platform?: Architecture | undefined;
}

/** The inputs of a release now. */
export interface Current {
  request: AnyRequest;
  /** For a git context with another commit than the recorded one, only `git` counts. */
  parts: InputParts;
  /** Digest of the context artifact, for messages. */
  context: string;
  bases: readonly PinnedImage[];
  builder: PinnedImage | null;
  /** Absent without a disk that boots from one. */
  installer?: PinnedImage | undefined;
  /** Absent without gates. */
  gates?: readonly RecordedGate[] | undefined;
  /** The operator wants a person's approval, whatever the request says. */
  approval: boolean;
}

/** The inputs that a record keeps for {@link changeSince}. The request's git context is at its commit. */
export function inputParts(request: AnyRequest, context: Pick<ContextSummary, 'files' | 'builderConfig'>): InputParts {
  const { files, builderConfig } = context;
  return withContext(request, {
    files: shortDigest(files),
    config: builderConfig && shortDigest(builderConfig.digest),
  });
}

/** The same when the context is known to be the recorded one. */
export function withContext(request: AnyRequest, context: Pick<InputParts, 'files' | 'config'>): InputParts {
  const { buildArgs, architecture, platforms, verification, key, disks, builder, bootTest } = request;
  const { rootfs, driver } = builder;
  const { arguments: options } = builderOptions(builder);
  const baked = verification && { verification, key, repositories: pulledRepositories(request) };
  const made = { buildArgs, architecture, platforms, baked };
  return {
    files: context.files,
    config: context.config,
    settings: shortDigest({ ...made, ...buildOptions(request), ...imageSecretInputs(request) }),
    disks: Object.fromEntries(
      disks.map(({ type, publish, compress, installer }) => [
        type,
        shortDigest({ publish, compress, rootfs, options, driver, installer }),
      ]),
    ),
    bootTest: bootTest ? shortDigest({ disk: bootTest.disk, expect: bootTest.expect }) : null,
    ...gitParts(request.context),
  };
}

function gitParts(context: ContextSource): Pick<InputParts, 'place' | 'commit'> {
  if (context.kind !== 'git') return { place: null, commit: null };
  const { kind: _kind, ref, ...place } = context;
  return { place: shortDigest(place), commit: ref };
}

/** When the image of a record was built, of several platforms the oldest; null when the record does not say. */
export function builtAt({ image, stages }: ReleaseRecord): string | null {
  const times = (image.platforms ?? [undefined]).map((one) => {
    const row = stages.find(({ name, subject }) => name === 'build' && subject === imageSubject(one?.platform));
    return image.builtAt ?? one?.builtAt ?? row?.startedAt ?? null;
  });
  return times.reduce((oldest, time) => (oldest !== null && time !== null && time < oldest ? time : oldest && time));
}

const shortCommit = (commit: string | null) => commit?.slice(0, 12) ?? 'none';

/**
 * The differences between what a release would make and the record.
 *
 * @param now the time from which ages are measured
 */
export function changeSince(record: ReleaseRecord, current: Current, now: Date): Difference[] {
  const { request, parts } = current;
  const { inputs } = record;
  const recorded = inputs?.parts;
  if (!inputs || !recorded || record.image.digest === null) {
    return [{ subject: 'image', reason: 'its record does not say what it was made of', replaces: true }];
  }
  const image = [
    ...contextReasons(inputs.context, recorded, current),
    ...goneReasons(inputs.base, current.bases),
    ...(recorded.settings === parts.settings
      ? []
      : ['build arguments, verification, secrets or other settings differ']),
    ...ageReasons(record, request, now),
  ];
  return [
    ...image.map((reason): Difference => ({ subject: 'image', reason, replaces: true })),
    ...platformReasons(record, current.bases).map((one): Difference => ({ subject: 'image', replaces: true, ...one })),
    ...request.disks.flatMap((disk) => diskDifferences(record, recorded, current, disk)),
    ...record.disks.flatMap(({ type }): Difference[] =>
      request.disks.some((disk) => disk.type === type)
        ? []
        : [{ subject: 'release', reason: `disk ${type} is no longer asked for`, replaces: true }],
    ),
    ...gateDifferences(inputs.gates, current),
    ...approvalDifference(record, current),
  ];
}

/** A gate that is another one now has not looked at what stands: it is made again, and looked at. */
function gateDifferences(before: readonly RecordedGate[] = [], { request, gates = [] }: Current): Difference[] {
  return gateReasons(gateDiff(before, gates)).flatMap(({ on, reason }) => {
    const subjects = on === 'image' ? (['image'] as const) : request.disks.map(({ type }) => type);
    return subjects.map((subject): Difference => ({ subject, reason, replaces: true }));
  });
}

function approvalDifference({ approval }: ReleaseRecord, current: Current): Difference[] {
  const isWanted = current.request.approval !== undefined || current.approval;
  return isWanted && !approval ? [{ subject: 'release', reason: 'nobody has approved it', replaces: false }] : [];
}

function contextReasons(context: string, recorded: InputParts, current: Current): string[] {
  const { place, commit, files } = current.parts;
  if (place !== recorded.place) return ['the context comes from another place'];
  if (commit !== recorded.commit) return [`commit ${shortCommit(recorded.commit)} → ${shortCommit(commit)}`];
  // A commit always has the same files.
  return commit !== null || files === recorded.files
    ? []
    : [`context ${shortDigestOf(context)} → ${shortDigestOf(current.context)}`];
}

function ageReasons(
  record: ReleaseRecord,
  { rebuild, enrollment }: Pick<ReleaseRequest, 'rebuild' | 'enrollment'>,
  now: Date,
): string[] {
  const maxAge = rebuild?.maxAge ?? null;
  const { certificateEnds } = record.image;
  const built = builtAt(record);
  const age = built === null ? null : now.getTime() - Date.parse(built);
  // A tag that is made once must not be refused because of a certificate that is still valid.
  const isOver = (ends: string) => (rebuild ? endsSoon(ends, enrollment, now) : !(new Date(ends) > now));
  return [
    ...(certificateEnds !== undefined && isOver(certificateEnds)
      ? [`the enrollment certificate in the image ends on ${certificateEnds}`]
      : []),
    ...(maxAge !== null && (age === null || age >= maxAge) ? [tooOld(age, maxAge)] : []),
  ];
}

function tooOld(age: number | null, maxAge: number): string {
  const since = age === null ? 'it is not known when the image was built' : `the image is ${formatAge(age)} old`;
  return `${since} (maxAge ${formatAge(maxAge)})`;
}

/** `true` when an image must be built without cache, to get new packages. */
export function isTooOld(record: ReleaseRecord, maxAge: number | null, now: Date): boolean {
  const built = builtAt(record);
  return maxAge !== null && (built === null || now.getTime() - Date.parse(built) >= maxAge);
}

function diskDifferences(
  record: ReleaseRecord,
  recorded: InputParts,
  { request, parts, builder, installer }: Current,
  disk: RequestedDisk,
): Difference[] {
  const { type } = disk;
  const before = record.disks.find((one) => one.type === type);
  if (!before) return [{ subject: type, reason: `disk ${type} is new`, replaces: false }];
  const repository = before.reference?.slice(0, before.reference.lastIndexOf(':'));
  const { bootTest } = request;
  const kept = request.keepFiles;
  const paths = (before.platforms ?? [before]).map(({ file }) => file?.path ?? null);
  const reasons = [
    ...builderReasons(record.inputs!.builder, builder),
    ...(disk.installer ? pinnedReasons('installer', listed(record.inputs!.installer), listed(installer)) : []),
    ...(parts.config === recorded.config ? [] : ['builder.config differs']),
    ...(parts.disks[type] === recorded.disks[type]
      ? []
      : [`form, compression, root file system, installer or builder arguments of disk ${type} differ`]),
    ...originReasons(record, request, before),
    ...(bootTest?.disk !== type || parts.bootTest === recorded.bootTest
      ? []
      : [`disk ${type} has not passed this boot test`]),
    ...(kept === null || paths.every((path) => path !== null && dirname(path) === kept)
      ? []
      : [`disk ${type} was not kept in ${kept}`]),
  ];
  const elsewhere = disk.publish !== 'none' && repository !== undefined && repository !== disk.repository;
  return [
    ...reasons.map((reason): Difference => ({ subject: type, reason, replaces: true })),
    ...(elsewhere ? [{ subject: type, reason: `disk ${type} goes to ${disk.repository}`, replaces: false }] : []),
  ];
}

/**
 * The name that machines follow. A tag that each release has of its own differs each time, which alone is no reason
 * for a release.
 */
function originReasons(
  { image }: ReleaseRecord,
  { repository, tag, updateFrom }: AnyRequest,
  { type, updateFrom: before }: DiskRecord,
): string[] {
  const now = `${repository}:${updateFrom}`;
  const areOwn = before === image.reference && updateFrom === tag;
  return before === now || areOwn ? [] : [`machines of disk ${type} would follow ${now}, not ${before}`];
}

const listed = (image: PinnedImage | null | undefined) => (image ? [image] : []);

function builderReasons(before: PinnedImage | null, now: PinnedImage | null): string[] {
  return before && now && before.reference !== now.reference
    ? [`builder ${before.reference} → ${now.reference}`]
    : pinnedReasons('builder', listed(before), listed(now));
}
