/** Differences in words, short enough for a payload or a record. Pure. */
import type { Architecture } from '../../model/base/host.ts';
import { platformDigest, type PinnedImage, type ReleaseRecord } from '../../model/release/record.ts';

/** Longest reason (characters): room for several digests, and small in a payload. */
const MAX_REASON = 600;

/** Longest reason in a record (characters), where six disks leave little room. */
const MAX_RECORDED_REASON = 200;

/** Reasons as one line, each once. */
export function reasonOf(differences: readonly { reason: string }[]): string {
  return cut([...new Set(differences.map(({ reason }) => reason))].join('; '), MAX_REASON);
}

/** A reason, shortened for a record. */
export function recordedReason(reason: string): string {
  return cut(reason, MAX_RECORDED_REASON);
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** A digest as reasons show it. */
export function shortDigestOf(digest: string | undefined): string {
  return digest === undefined ? 'none' : digest.slice(0, 'sha256:'.length + 12);
}

/** The bases that are no longer used. */
export function goneReasons(before: readonly PinnedImage[], after: readonly PinnedImage[]): string[] {
  const gone = before.filter(({ reference }) => !after.some((base) => base.reference === reference));
  return gone.map(({ reference }) => `base ${reference} is gone`);
}

/** Each reference with another digest than before. A missing one is a change of the Containerfile. */
export function pinnedReasons(what: string, before: readonly PinnedImage[], after: readonly PinnedImage[]): string[] {
  return after.flatMap((image) => {
    const { reference, platform } = image;
    const old = before.find((one) => one.reference === reference && one.platform === platform);
    if (!old || platformDigest(old) === platformDigest(image)) return [];
    const shown = (one: PinnedImage) => shortDigestOf(platform ? platformDigest(one) : one.digest);
    return [`${what} ${reference}${platform ? ` for linux/${platform}` : ''} ${shown(old)} → ${shown(image)}`];
  });
}

/** What has changed for one platform alone: the bases, and that an earlier release went on without it. */
export function platformReasons(
  { image: { reference, missing = [] }, inputs }: ReleaseRecord,
  bases: readonly PinnedImage[],
): { reason: string; platform: Architecture | undefined }[] {
  return [
    ...missing.map(({ platform }) => ({ reason: `${reference} was released without linux/${platform}`, platform })),
    ...bases.flatMap((base) =>
      pinnedReasons('base', inputs?.base ?? [], [base]).map((reason) => ({ reason, platform: base.platform })),
    ),
  ];
}
