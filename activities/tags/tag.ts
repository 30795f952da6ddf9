/** The `tag` activity: tags only what is signed and complete, in the given order, and verifies each by its tag. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { currentTask, outsideTask, type Task } from '../tools/process/task.ts';
import type { TagInput } from '../../model/contract/sign.ts';
import { indexEntries, parseManifest } from '../../model/oci/manifest.ts';
import type { TagMove } from '../../model/tags/tag-move.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { z } from 'zod';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { openKey, type OpenedKey } from '../trust/keys.ts';
import { isOwnTag } from '../trust/own-tag.ts';
import { unsignedTags } from '../trust/signatures.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import type { StoredManifest } from '../tools/registry/repository.ts';
import { together } from '../tools/together.ts';
import { verifyTag } from '../trust/verify.ts';
import type { WorkerBody } from '../server.ts';

type Move = z.infer<typeof TagMove>;

/** The tag of an index's entry, placed before the index's own, and what it pointed at until then. */
type EntryTag = Pick<Move, 'repository' | 'tag' | 'digest'> & { before: StoredManifest | null };

/** The `tag` activity of sign workers. */
async function tagRelease(
  worker: { configuration: WorkerConfiguration },
  { key: keyName, moves, timing }: TagInput,
  context: Task,
): Promise<ActivityAnswer<'tag'>> {
  const repositories = [...new Set(moves.map((move) => move.repository))];
  const key = await openKey(worker.configuration, keyName, repositories);
  return withRegistryAccess(worker.configuration, repositories, (access) =>
    // A release that is cancelled half-way must list the tags that have moved.
    moveTags(access, key, moves, timing.command, (moved) => context.tellUnlessDone({ moved })),
  );
}

/**
 * Moves tags in order, and before an index's those of its entries. Everything is checked before the first one moves:
 * that each digest is there in full, signed for its name, and that no tag was moved by somebody else. A tag that stands
 * already is left as it is. When an index's tag cannot be moved, those of its entries go back.
 *
 * @param timeout milliseconds for one command
 * @param onMoved told after each move what stands by now
 * @returns what now stands, or the digests that the registry lost; then nothing was moved
 * @throws FlightlineError `tag-moved`, `signature-rejected` or a registry's failure; the message tells what was moved
 * already.
 */
export async function moveTags(
  access: RegistryAccess,
  key: OpenedKey,
  moves: readonly Move[],
  timeout: number,
  onMoved: (moved: readonly string[]) => void = () => undefined,
): Promise<{ moved: string[]; vanished: string[] }> {
  const vanished = await vanishedDigests(access, moves);
  if (vanished.length > 0) return { moved: [], vanished };
  const entries = await together(moves, async (move) => {
    await expectUnmoved(access, move);
    await expectSigned(access, key, move);
    return entriesToTag(access, move);
  });
  const moved: string[] = [];
  for (const [index, move] of moves.entries()) {
    /** Tags of entries that have moved without the index's own. */
    let alone: EntryTag[] = [];
    try {
      for (const entry of entries[index]!) {
        alone.push(entry);
        onMoved([...moved, ...alone.map(nameOf)]);
        await place(access, entry);
      }
      // Read again: minutes may have passed since the first check.
      if ((await expectUnmoved(access, move)) !== move.digest) await place(access, move);
      alone = [];
      moved.push(nameOf(move));
      onMoved([...moved]);
      await verifyTag(access, key, move, timeout);
    } catch (error) {
      // Of a worker that stops, the next attempt goes on.
      const isOver = alone.length > 0 && currentTask()?.cancelReason() !== 'detach';
      const left = isOver ? await outsideTask(() => putBack(access, alone, move)) : alone;
      onMoved([...moved, ...left.map(nameOf)]);
      throw withMoved(error, [...moved, ...left.map(nameOf)]);
    }
  }
  return { moved, vanished: [] };
}

function nameOf({ repository, tag }: Pick<Move, 'repository' | 'tag'>): string {
  return `${repository}:${tag}`;
}

/**
 * Lets the tags of an index's entries point where they did before. Answers what stands all the same: a registry may not
 * delete tags, or not answer, and may have moved the index's own tag without saying so.
 */
async function putBack(
  access: RegistryAccess,
  entries: readonly EntryTag[],
  move: Move,
): Promise<Pick<Move, 'repository' | 'tag'>[]> {
  const repository = access.repository(move.repository);
  try {
    const left: EntryTag[] = [];
    for (const entry of entries) {
      if (entry.before) await repository.putManifest(entry.tag, entry.before);
      else if ((await repository.deleteManifest(entry.tag)) === 'unsupported') left.push(entry);
    }
    if ((await repository.headManifest(move.tag)) !== move.digest) return left;
    for (const entry of entries) await place(access, entry);
    return [move];
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    return [...entries];
  }
}

async function place(
  access: RegistryAccess,
  { repository, tag, digest }: Pick<EntryTag, 'repository' | 'tag' | 'digest'>,
): Promise<void> {
  const stored = await access.repository(repository).getManifest(digest);
  if (!stored) throw new FlightlineError('registry', `${repository}@${digest} vanished while it was tagged`);
  await access.repository(repository).putManifest(tag, stored);
}

/** Digests that the registry no longer has in full. */
async function vanishedDigests(access: RegistryAccess, moves: readonly Move[]): Promise<string[]> {
  const named = new Map(moves.map(({ repository, digest }) => [`${repository}@${digest}`, { repository, digest }]));
  const gone = await together([...named.values()], async ({ repository, digest }) =>
    (await access.repository(repository).missingPart(digest)) === null ? [] : [digest],
  );
  return [...new Set(gone.flat())];
}

/** The missing tags of the entries. @throws FlightlineError `tag-moved` when another release has one. */
async function entriesToTag(access: RegistryAccess, { repository, tag, digest }: Move): Promise<EntryTag[]> {
  const index = await access.repository(repository).getManifest(digest);
  const manifest = index && parseManifest(index.bytes);
  const wanted: EntryTag[] = [];
  for (const entry of manifest ? indexEntries(manifest, [tag]) : []) {
    for (const name of entry.tags) {
      const now = await access.repository(repository).getManifest(name);
      if (now?.digest === entry.digest) continue;
      // An entry's tag never points at an index.
      if (now && parseManifest(now.bytes)?.manifests) {
        throw new FlightlineError('tag-moved', `${repository}:${name} is needed for ${tag}, and is another release's`);
      }
      wanted.push({ repository, tag: name, digest: entry.digest, before: now });
    }
  }
  return wanted;
}

/** What the tag points at now, if the release expects it. @throws FlightlineError `tag-moved` */
async function expectUnmoved(access: RegistryAccess, move: Move): Promise<string | null> {
  const now = await access.repository(move.repository).headManifest(move.tag);
  // A deleted tag is free: `tag-moved` tells people to delete it.
  const { repository, tag, digest, expected } = move;
  if (now === null || expected === 'any' || now === digest || now === expected) return now;
  if (expected !== null && typeof expected === 'object') {
    if (await isOwnTag(access, repository, tag, expected.leftBy)) return now;
    throw new FlightlineError('tag-moved', `${repository}:${tag} is not what a release of ${expected.leftBy} left`);
  }
  const before = expected === null ? 'did not exist' : `pointed at ${expected}`;
  throw new FlightlineError('tag-moved', `${repository}:${tag} points at ${now}; it ${before} when the release began`);
}

/** @throws FlightlineError `signature-rejected` */
async function expectSigned(access: RegistryAccess, key: OpenedKey, move: Move): Promise<void> {
  const { repository, digest, tag } = move;
  const unsigned = await unsignedTags(access, key.publicKey, { repository, digest, tags: [tag] });
  if (unsigned.length === 0) return;
  throw new FlightlineError(
    'signature-rejected',
    `${repository}@${digest} has no signature for ${repository}:${tag}: the tag was not moved`,
  );
}

function withMoved(error: unknown, moved: readonly string[]): unknown {
  if (moved.length === 0 || !(error instanceof FlightlineError)) return error;
  const { kind, message, remedy } = error.failure;
  return new FlightlineError(kind, `${message} (moved already: ${moved.join(', ')})`, { remedy, cause: error });
}

export default tagRelease satisfies WorkerBody<'tag'>;
