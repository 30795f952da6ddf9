/** A person's approval before tags move: required by a spec, a promotion, or the operator's configuration. */
import { z } from 'zod';
import { ARCHITECTURES } from '../base/host.ts';
import { FAILURE_KINDS } from '../failure/failures.ts';
import { Digest, repositoryIsWithin } from '../oci/reference.ts';
import type { ReleaseRequest } from '../spec/request.ts';

/** The update on `release` and `promotion` that approves or rejects. */
export const DECIDE_UPDATE = 'decide';

/** Longest comment, and name of a person (characters). */
const Words = z.string().max(200);

/** Who approved, when and why. The name comes from the person's own machine, and proves nothing (docs/security.md). */
export const Approval = z.object({ by: Words, at: z.string(), comment: Words });
export type Approval = z.infer<typeof Approval>;

/** A platform that a release goes on without: a branch of it was held, and a person approved that. */
export const MissingPlatform = Approval.extend({
  platform: z.enum(ARCHITECTURES),
  /** Why the branch was held: kind, and at most 300 characters of the message's end. */
  kind: z.enum(FAILURE_KINDS),
  message: z.string(),
});
export type MissingPlatform = z.infer<typeof MissingPlatform>;

/** `linux/arm64 is missing, as ann approved on 2026-11-30T10:00:00.000Z: no hardware (containerfile: exit status 1)` */
export function missingInWords(missing: readonly MissingPlatform[] = []): string[] {
  return missing.map(
    ({ platform, by, at, comment, kind, message }) =>
      `linux/${platform} is missing, as ${by} approved on ${at}: ${comment} (${kind}: ${message})`,
  );
}

/** Input of the update. */
export const Decision = z.object({
  decision: z.enum(['approve', 'reject']),
  /** To approve only that the release goes on without this platform, whatever the digests. No tag moves for it. */
  without: z.enum(ARCHITECTURES).optional(),
  by: Words,
  comment: Words,
  /** The digests of the image and of each disk that the person saw. The decision holds for no others. */
  digests: z.array(Digest),
});
export type Decision = z.infer<typeof Decision>;

/** The digests of a release that a person decides on, for {@link Decision}. */
export function shownDigests({
  image,
  disks,
}: {
  image: { digest: string | null };
  disks: readonly { digest: string | null }[];
}): string[] {
  return [image, ...disks].flatMap(({ digest }) => digest ?? []);
}

/** Answer of the update: `repository:tag` that was decided on. */
export const Decided = z.object({ reference: z.string() });
export type Decided = z.infer<typeof Decided>;

/** The tags that a release moves: those of the image, of the published disks, and of the record. */
export function movedNames(
  request: Pick<ReleaseRequest, 'repository' | 'tag' | 'alsoTag' | 'disks' | 'recordRepository'>,
): MovedNames[] {
  const { repository, recordRepository, tag, alsoTag, disks } = request;
  return [
    { repository, tags: [tag, ...alsoTag] },
    { repository: recordRepository, tags: [tag, ...alsoTag] },
    ...disks.flatMap((disk) => (disk.publish === 'none' ? [] : [{ repository: disk.repository, tags: [tag] }])),
  ];
}

/** Tags of a repository. */
interface MovedNames {
  repository: string;
  tags: readonly string[];
}

/**
 * `true` when the operator's list covers one of the names. An entry without a tag covers a repository and all below it,
 * by path segment. An entry with a tag covers that tag there; `*` in it stands for any text.
 */
export function needsApproval(listed: readonly string[], names: readonly MovedNames[]): boolean {
  return listed.some((entry) => names.some((name) => covers(entry, name)));
}

function covers(entry: string, { repository, tags }: MovedNames): boolean {
  const colon = entry.lastIndexOf(':');
  const slash = entry.lastIndexOf('/');
  // In a registry without a path the colon begins the port.
  if (slash < 0 || colon < slash) return repositoryIsWithin(repository, entry);
  if (!repositoryIsWithin(repository, entry.slice(0, colon))) return false;
  const parts = entry.slice(colon + 1).split('*');
  return tags.some((tag) => matches(tag, parts));
}

/** `true` when the text consists of the parts in this order, with any text between them. */
function matches(text: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  if (rest.length === 0) return at === text.length;
  const last = rest.at(-1)!;
  for (const part of rest.slice(0, -1)) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
