/**
 * Prune removes old releases from the registry. Of each release it first removes the image's tag, so that nobody finds
 * it, then its disks and logs with their signatures and other attachments, and last its record. The record lists what
 * to remove: after an interruption the next prune finds it and goes on. At every moment each tag points at something
 * signed, and an image's tag at a complete release.
 */
import { FlightlineError } from '../../model/failure/failure.ts';
import type { PruneRequest } from '../../model/release/prune.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { removeAttached } from './attached.ts';
import { decidePrune } from './decide.ts';
import { surveyAgain, surveyRepository, type RecordKey } from './survey.ts';
import type { KnownRelease, PruneDecision, Removal } from './surveyed.ts';

/**
 * After this time (ms) no further removal begins: the sign worker has one slot, and releases wait for their signatures.
 */
const TURN = 60_000;
/** What a prune needs. */
export interface PruneGround {
  access: RegistryAccess;
  request: PruneRequest;
  keys: readonly RecordKey[];
  /** The releases that Temporal knows. */
  releases: () => Promise<KnownRelease[]>;
  /** Called for each removal. */
  removed?: (decision: PruneDecision) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/**
 * What would be removed and kept.
 *
 * @throws FlightlineError `deletion-disabled` when there is something to remove and the registry does not delete.
 */
export async function planPrune(ground: PruneGround): Promise<PruneDecision[]> {
  const survey = await surveyRepository(ground.access, ground.request, ground.keys, await ground.releases());
  const decisions = decidePrune(survey, ground.request, (ground.now ?? Date.now)());
  requireDeletion(survey.deletion, ground.request.repository, decisions);
  return decisions;
}

function requireDeletion(deletion: string, repository: string, decisions: readonly PruneDecision[]): void {
  const count = decisions.filter(({ verdict }) => verdict === 'remove').length;
  if (deletion !== 'none' || count === 0) return;
  throw new FlightlineError(
    'deletion-disabled',
    `the registry does not delete from ${repository}: ${count} releases or contexts that are no longer needed stay`,
  );
}

/**
 * Removes what is decided, contexts first. Before each removal it reads the registry and Temporal again, and decides
 * again: what is needed by then stays.
 *
 * @returns how many are left for the next turn
 */
export async function pruneRepository(ground: PruneGround): Promise<number> {
  const { access, request, keys } = ground;
  const now = ground.now ?? Date.now;
  const until = Date.now() + TURN;
  let survey = await surveyRepository(access, request, keys, await ground.releases());
  const planned = decidePrune(survey, request, now()).filter(({ verdict }) => verdict === 'remove');
  requireDeletion(survey.deletion, request.repository, planned);
  for (const [index, { kind, tag }] of planned.entries()) {
    if (Date.now() > until) return planned.length - index;
    survey = await surveyAgain(access, survey, keys, await ground.releases(), tag);
    const decision = decidePrune(survey, request, now()).find((one) => one.kind === kind && one.tag === tag);
    if (decision?.verdict !== 'remove') continue;
    await remove(access, decision, request.recordRepository, survey.deletion === 'tag');
    ground.removed?.(decision);
  }
  return 0;
}

/** Removes one release or context, in an order that never leaves a tag on something unsigned. */
async function remove(
  access: RegistryAccess,
  { removals }: PruneDecision,
  recordRepository: string,
  byTag: boolean,
): Promise<void> {
  const record = removals.find(({ repository }) => repository === recordRepository);
  const parts = removals.filter((one) => one !== record);
  for (const part of parts) await removeManifest(access, part, byTag);
  for (const part of parts) await removeAttachedTo(access, part);
  if (!record) return;
  await removeManifest(access, record, byTag);
  await removeAttachedTo(access, record);
}

async function removeManifest(access: RegistryAccess, removal: Removal, byTag: boolean): Promise<void> {
  const { repository, tag, digest, entries, nameOnly } = removal;
  // When only the digest is deleted, some registries keep the tag, and others refuse while there is one.
  if (byTag) await access.repository(repository).deleteManifest(tag);
  if (nameOnly) return;
  for (const one of [digest, ...entries]) await access.repository(repository).deleteManifest(one);
  if ((await access.repository(repository).headManifest(tag)) !== digest) return;
  throw new FlightlineError('registry', `${repository}:${tag} was deleted, and still points at ${digest}`);
}

async function removeAttachedTo(
  access: RegistryAccess,
  { repository, digest, entries, nameOnly }: Removal,
): Promise<void> {
  if (nameOnly) return;
  for (const one of [digest, ...entries]) await removeAttached(access, repository, one);
}
