/**
 * Collects the facts for a prune: tags, verified records, releases, and how the registry deletes. Changes nothing.
 */
import type { OpenRelease } from '../server.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import type { PruneRequest } from '../../model/release/prune.ts';
import { ReleaseRecord } from '../../model/release/record.ts';
import { ARCHITECTURES } from '../../model/base/host.ts';
import { contextTag, entryTag, signatureTag } from '../../model/oci/reference.ts';
import { NightlyInput } from '../../model/release/nightly.ts';
import { ReleaseRequest } from '../../model/spec/request.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import type { KeyObject } from 'node:crypto';
import { readPublicKey } from '../trust/keys.ts';
import { isAttached } from './attached.ts';
import { isOwnName } from './decide.ts';
import type { KnownRelease, Stored, Survey, TaggedManifest, VerifiedRecord } from './surveyed.ts';
import { readVerifiedRecord } from '../trust/record.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { together } from '../tools/together.ts';

/** A key that may sign records, with the repositories that it lists. */
export interface RecordKey {
  publicKey: KeyObject;
  repositories: readonly string[];
}

/** Repositories that every survey reads. */
type Places = Pick<PruneRequest, 'repository' | 'recordRepository' | 'contextRepository'>;

/**
 * The keys that list a repository. Only what they may sign for is pruned.
 *
 * @throws FlightlineError `key-not-allowed` when there is none.
 */
export async function keysFor(
  configuration: Pick<WorkerConfiguration, 'keys'>,
  { repository, recordRepository, contextRepository }: Places,
): Promise<RecordKey[]> {
  const needed = [repository, recordRepository, contextRepository];
  const keys = Object.values(configuration.keys).filter((key) =>
    needed.every((one) => isAllowed(key.repositories, one)),
  );
  if (keys.length === 0) {
    throw new FlightlineError('key-not-allowed', `no key of the sign worker lists ${needed.join(', ')}`, {
      remedy: "prune a repository that a key of the sign worker's configuration lists, or add it there",
    });
  }
  return Promise.all(
    keys.map(async ({ publicKey, repositories }) => ({ publicKey: await readPublicKey(publicKey), repositories })),
  );
}

/**
 * The releases of a repository that Temporal lists. An unreadable one is an error: nothing is removed on a guess.
 */
export function knownReleases(listed: readonly OpenRelease[]): KnownRelease[] {
  return listed.map(({ release, closedAt, request, record }) => {
    const parsed = closedAt === null ? ReleaseRecord.parse(record) : null;
    const ended = closedAt === null ? undefined : ReleaseRecord.safeParse(record).data;
    const asked = ReleaseRequest.safeParse(request);
    const sent = asked.success && asked.data.context.kind === 'artifact' ? asked.data.context.digest : null;
    return {
      tag: release.slice(release.lastIndexOf(':') + 1),
      closedAt,
      digests: parsed ? pushedBy(parsed).map(({ digest }) => digest) : [],
      context: parsed?.inputs?.context ?? sent,
      unfinished: ended && pushedBy(ended),
    };
  });
}

/** The context with which a schedule starts its releases, sent once from a directory. */
export function scheduledRelease(input: unknown): KnownRelease[] {
  const context = NightlyInput.safeParse(input).data?.template.context;
  return context?.kind === 'artifact' ? [{ tag: null, closedAt: null, digests: [], context: context.digest }] : [];
}

function pushedBy({ image, disks }: ReleaseRecord): Stored[] {
  // Without an index the platforms are all that there is.
  const platforms = [image, ...disks].flatMap((one) =>
    (one.platforms ?? []).map(({ digest }) => ({ reference: one.reference, digest })),
  );
  return [...platforms, image, ...disks].flatMap(({ reference, digest }) =>
    reference === null || digest === null
      ? []
      : [{ repository: reference.slice(0, reference.lastIndexOf(':')), digest }],
  );
}

/** Reads everything. */
export async function surveyRepository(
  access: RegistryAccess,
  places: Places,
  keys: readonly RecordKey[],
  releases: readonly KnownRelease[],
): Promise<Survey> {
  const { repository, recordRepository, contextRepository } = places;
  const tags = new Map<string, TaggedManifest[]>();
  const look = async (place: string) =>
    tags.set(place, await readTagged(access, place, await access.repository(place).listTags()));
  for (const place of [repository, recordRepository, contextRepository]) await look(place);
  const found = await together(tags.get(recordRepository)!, async ({ tag }) => {
    return [tag, await readFirst(access, recordRepository, tag, keys)] as const;
  });
  const records = new Map(found);
  const unfinished = releases.flatMap((release) => release.unfinished ?? []);
  const further = [...furtherRepositories(records), ...unfinished.map((one) => one.repository)];
  const mine = (place: string) => keys.some(({ repositories }) => isAllowed(repositories, place));
  for (const place of further) if (!tags.has(place) && mine(place)) await look(place);
  return {
    ...places,
    tags,
    records,
    releases,
    unfinished: await present(
      access,
      unfinished.filter((one) => tags.has(one.repository)),
    ),
    deletion: await access.repository(repository).deletion(),
  };
}

/**
 * Brings the survey up to date: looks up new tags, the tags of one release, and further tags of others. Other tags do
 * not move.
 */
export async function surveyAgain(
  access: RegistryAccess,
  before: Survey,
  keys: readonly RecordKey[],
  releases: readonly KnownRelease[],
  tag: string,
): Promise<Survey> {
  const tags = new Map<string, TaggedManifest[]>();
  const isOwn = (name: string) => {
    const known = before.records.get(name)?.record;
    return known !== undefined && isOwnName(before.repository, name, known) && name !== tag;
  };
  const entriesOfOwn = new Set(
    [...before.records.keys()].filter(isOwn).flatMap((name) => ARCHITECTURES.map((one) => entryTag(name, one))),
  );
  for (const [repository, list] of before.tags) {
    const names = await access.repository(repository).listTags();
    const stood = list.filter((one) => (isOwn(one.tag) || entriesOfOwn.has(one.tag)) && names.includes(one.tag));
    const others = names.filter((name) => !stood.some((one) => one.tag === name));
    // The tags of contexts and logs contain their digests, and never move.
    const known = list.filter((one) => one.tag === contextTag(one.digest) && others.includes(one.tag));
    const asked = others.filter((name) => !known.some((one) => one.tag === name));
    tags.set(repository, [...stood, ...known, ...(await readTagged(access, repository, asked))]);
  }
  const { recordRepository } = before;
  const names = tags.get(recordRepository)!.map((one) => one.tag);
  const found = await together(names, async (name) => {
    const kept = isOwn(name) ? before.records.get(name) : undefined;
    return [name, kept ?? (await readFirst(access, recordRepository, name, keys))] as const;
  });
  return { ...before, tags, records: new Map(found), releases };
}

/** Those manifests that exist, or have signatures. */
async function present(access: RegistryAccess, stored: readonly Stored[]): Promise<Survey['unfinished']> {
  const found = await together(stored, async ({ repository, digest }) => {
    const manifest = await access.repository(repository).getManifest(digest);
    if (!manifest && (await access.repository(repository).headManifest(signatureTag(digest))) === null) return [];
    const entries = (manifest && parseManifest(manifest.bytes)?.manifests) ?? [];
    return [{ repository, digest, entries: entries.map((entry) => entry.digest) }];
  });
  const all = found.flat();
  return all.filter((one, index) => index === all.findIndex((other) => other.digest === one.digest));
}

/** What each tag points at. Leaves out tags that are gone. */
function readTagged(access: RegistryAccess, repository: string, names: readonly string[]): Promise<TaggedManifest[]> {
  const tags = names.filter((tag) => !isAttached(tag));
  return together(tags, async (tag) => {
    const stored = await access.repository(repository).getManifest(tag);
    const entries = (stored && parseManifest(stored.bytes)?.manifests) ?? [];
    return stored && { tag, digest: stored.digest, entries: entries.map(({ digest }) => digest) };
  }).then((found) => found.filter((one) => one !== null));
}

/** The record of a tag, by the first key that verifies it. */
async function readFirst(
  access: RegistryAccess,
  repository: string,
  tag: string,
  keys: readonly RecordKey[],
): Promise<VerifiedRecord | null> {
  for (const { publicKey, repositories } of keys) {
    const found = await readVerifiedRecord(access, { repository, tag }, publicKey);
    if (found) return { record: found.record, allows: (one) => isAllowed(repositories, one) };
  }
  return null;
}

/** The repositories of the records' disks and logs. */
function furtherRepositories(records: ReadonlyMap<string, VerifiedRecord | null>): Set<string> {
  const found = new Set<string>();
  for (const verified of records.values()) {
    for (const { reference } of verified?.record.disks ?? []) {
      if (reference !== null) found.add(reference.slice(0, reference.lastIndexOf(':')));
    }
    for (const { repository } of verified?.record.logs ?? []) found.add(repository);
  }
  return found;
}
