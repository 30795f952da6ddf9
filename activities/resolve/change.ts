/** What has changed since a release, in words: the decision of `rebuild: when-changed`. Pure. */
import { canonicalJson, sha256 } from '../../model/base/digest.ts';
import { pulledRepositories } from '../../model/device/signature-policy.ts';
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import { buildOptions } from '../../model/spec/build-options.ts';
import { imageSecretInputs } from '../../model/spec/enrollment.ts';
import type { InputParts, PinnedImage, ReleaseRecord } from '../../model/release/record.ts';
import type { NightlyTemplate } from '../../model/release/nightly.ts';
import type { ContextSource, ReleaseRequest } from '../../model/spec/request.ts';
import { formatAge } from '../../model/spec/schedule.ts';

/** A request, its tags filled in or not: they are no inputs. */
type AnyRequest = ReleaseRequest | NightlyTemplate;

/** What has changed: reasons for which the image is built anew, and for which disks alone are. */
export interface Change {
  image: string[];
  disks: string[];
}

/** What a release would be made of now. */
export interface Current {
  request: AnyRequest;
  /** Of a git context with another commit than the recorded one, only `git` counts. */
  parts: InputParts;
  /** Digest of the context artifact, for the words. */
  context: string;
  bases: readonly PinnedImage[];
  builder: PinnedImage | null;
}

/** As model/release/record.ts wants it. */
function shortDigest(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 16);
}

/** What a record keeps of its inputs for {@link changeSince}. The request's git context is at its commit. */
export function inputParts(request: AnyRequest, context: Pick<ContextSummary, 'files' | 'builderConfig'>): InputParts {
  const { files, builderConfig } = context;
  return withContext(request, {
    files: shortDigest(files),
    config: builderConfig && shortDigest(builderConfig.digest),
  });
}

/** The same when the context is known to be the recorded one. */
export function withContext(request: AnyRequest, context: Pick<InputParts, 'files' | 'config'>): InputParts {
  const { buildArgs, architecture, verification, key, disks, builder, bootTest } = request;
  const baked = verification && { verification, key, repositories: pulledRepositories(request) };
  return {
    files: context.files,
    config: context.config,
    settings: shortDigest({ buildArgs, architecture, baked, ...buildOptions(request), ...imageSecretInputs(request) }),
    disks: shortDigest({ disks, rootfs: builder.rootfs, bootTest }),
    ...gitParts(request.context),
  };
}

function gitParts(context: ContextSource): Pick<InputParts, 'place' | 'commit'> {
  if (context.kind !== 'git') return { place: null, commit: null };
  const { url, subdirectory, containerfile, ignoreFile, builderConfig, ref } = context;
  return { place: shortDigest({ url, subdirectory, containerfile, ignoreFile, builderConfig }), commit: ref };
}

/** What of the image would be made otherwise than the record says, in words; null when nothing. */
export function imageChange(
  { inputs }: ReleaseRecord,
  now: { parts?: InputParts | undefined; bases: readonly PinnedImage[] },
): string | null {
  const { parts } = now;
  if (!inputs?.parts || !parts) return 'its record does not say what it was made of';
  if (inputs.parts.files !== parts.files) return 'context or Containerfile differ';
  if (inputs.parts.settings !== parts.settings) return 'build arguments, secrets or other settings of the image differ';
  const gone = inputs.base.find(({ reference }) => !now.bases.some((base) => base.reference === reference));
  if (gone) return `base ${gone.reference} is gone`;
  return pinnedReasons('base', inputs.base, now.bases).join('; ') || null;
}

/** When the image of a record was built; null when the record does not say. */
export function builtAt(record: ReleaseRecord): string | null {
  return record.image.builtAt ?? record.stages.find(({ name }) => name === 'build')?.startedAt ?? null;
}

const short = (digest: string | undefined) => (digest === undefined ? 'none' : digest.slice(0, 'sha256:'.length + 12));
const shortCommit = (commit: string | null) => commit?.slice(0, 12) ?? 'none';

/**
 * What a release would make otherwise than the record says.
 *
 * @param now against which ages are measured
 */
export function changeSince(record: ReleaseRecord, current: Current, now: Date): Change {
  const { request, parts } = current;
  const recorded = record.inputs?.parts;
  if (!record.inputs || !recorded || record.image.digest === null) {
    return { image: ['the last record is of an earlier version of flightline'], disks: [] };
  }
  return {
    image: [
      ...contextReasons(record.inputs.context, recorded, current),
      ...pinnedReasons('base', record.inputs.base, current.bases),
      ...(recorded.settings === parts.settings ? [] : ['build arguments, verification or secrets differ']),
      ...ageReasons(record, request.rebuild?.maxAge ?? null, now),
    ],
    disks: diskReasons(record, recorded, current),
  };
}

function contextReasons(context: string, recorded: InputParts, current: Current): string[] {
  const { place, commit, files } = current.parts;
  if (place !== recorded.place) return ['the context comes from another place'];
  if (commit !== recorded.commit) return [`commit ${shortCommit(recorded.commit)} → ${shortCommit(commit)}`];
  // The files of a commit are those of the commit.
  return commit !== null || files === recorded.files ? [] : [`context ${short(context)} → ${short(current.context)}`];
}

/** Each reference that has another digest than before. One that is named no more is a change of the Containerfile. */
function pinnedReasons(what: string, before: readonly PinnedImage[], after: readonly PinnedImage[]): string[] {
  return after.flatMap(({ reference, digest }) => {
    const old = before.find((one) => one.reference === reference)?.digest;
    return old === undefined || old === digest ? [] : [`${what} ${reference} ${short(old)} → ${short(digest)}`];
  });
}

function ageReasons(record: ReleaseRecord, maxAge: number | null, now: Date): string[] {
  const { certificateEnds } = record.image;
  const built = builtAt(record);
  const age = built === null ? null : now.getTime() - Date.parse(built);
  return [
    ...(certificateEnds !== undefined && !(new Date(certificateEnds) > now)
      ? [`the enrollment certificate in the image ended on ${certificateEnds}`]
      : []),
    ...(maxAge !== null && (age === null || age >= maxAge) ? [tooOld(age, maxAge)] : []),
  ];
}

function tooOld(age: number | null, maxAge: number): string {
  const since = age === null ? 'it is not known when the image was built' : `the image is ${formatAge(age)} old`;
  return `${since} (maxAge ${formatAge(maxAge)})`;
}

/** `true` when an image is to be built without what is left of earlier builds: for the sake of the packages. */
export function isTooOld(record: ReleaseRecord, maxAge: number | null, now: Date): boolean {
  const built = builtAt(record);
  return maxAge !== null && (built === null || now.getTime() - Date.parse(built) >= maxAge);
}

function diskReasons(record: ReleaseRecord, recorded: InputParts, current: Current): string[] {
  const { request, parts, builder } = current;
  if (request.disks.length === 0 && record.disks.length === 0) return [];
  const before = record.inputs!.builder;
  return [
    ...(before && builder && before.reference !== builder.reference
      ? [`builder ${before.reference} → ${builder.reference}`]
      : pinnedReasons('builder', before ? [before] : [], builder ? [builder] : [])),
    ...(parts.config === recorded.config ? [] : ['builder.config differs']),
    ...(parts.disks === recorded.disks ? [] : ['the disks, or what is asked of them, differ']),
  ];
}

/** The tags under which the last record may lie, the likeliest first. */
export function lastTags(request: Pick<ReleaseRequest, 'tag' | 'alsoTag' | 'rebuild'>): string[] {
  const last = request.rebuild?.last ?? null;
  return [...new Set([...request.alsoTag.slice(0, 1), ...(last === null ? [] : [last]), request.tag])];
}

/** Longest reason (characters): several digests, and small in a payload. */
const MAX_REASON = 600;

/** Longest reason in a record (characters): with six disks there is little room left. */
const MAX_RECORDED_REASON = 200;

/** Reasons as one line. */
export function reasonOf(reasons: readonly string[]): string {
  return cut(reasons.join('; '), MAX_REASON);
}

/** A reason as a record holds it. */
export function recordedReason(reason: string): string {
  return cut(reason, MAX_RECORDED_REASON);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
