/**
 * prune (issue 6): old releases leave the registry. Of each release first the image's tag goes, so that nobody is offered it any
 * more, then its disks and logs, then the signatures, last its record with the record's signature. The record is the list of what
 * there is to remove: whatever interrupts this, the next prune finds it and goes on. At every moment each tag that stands points
 * at something that is signed, and an image's tag at a release that is complete.
 */
import { FlightlineError, jsonBytes } from '../../model/release/failure.ts';
import {
  PruneInput,
  PrunePageInput,
  type PruneActivities,
  type PruneGroup,
  type PruneRequest,
} from '../../model/release/prune.ts';
import { signatureTag } from '../../model/oci/reference.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { decidePrune, groupDecisions, type Decision, type KnownRelease, type Removal } from './decision.ts';
import { keysFor, knownReleases, surveyAgain, surveyRepository, type RecordKey } from './survey.ts';
import { stage } from '../frame.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { deleteManifest } from '../tools/registry/deletion.ts';
import { headManifest } from '../tools/registry/registry.ts';

/** After this no further release is begun (ms): the sign worker has one slot, and others wait for their signatures. */
const TURN = 60_000;
/** Bytes of the groups in a page: no payload is above 10 kB (DESIGN §5). */
const MAX_PAGE = 8_000;

/** What a prune works with. */
export interface PruneGround {
  access: RegistryAccess;
  request: PruneRequest;
  keys: readonly RecordKey[];
  /** The releases that Temporal knows now. */
  releases: () => Promise<KnownRelease[]>;
  /** Told what was removed. */
  removed?: (decision: Decision) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Makes the activities of a sign worker. */
export function makePrune(worker: { configuration: WorkerConfiguration }): PruneActivities {
  const { configuration } = worker;
  return {
    planPrune: stage('prune', PrunePageInput, ({ request, from }, context) =>
      withGround(configuration, request, async (ground) => {
        const releases = async () => knownReleases(await context.releasesOf(request.repository));
        return pageOf(await planPrune({ ...ground, releases }), from);
      }),
    ),
    prune: stage('prune', PruneInput, ({ request, release }, context) =>
      withGround(configuration, request, async (ground) => {
        const releases = async () => knownReleases(await context.releasesOf(request.repository));
        const removed = ({ kind, tag }: Decision) => {
          const place = kind === 'context' ? request.contextRepository : request.repository;
          context.log('INFO', `pruned ${place}:${tag}`, {
            audit: 'prune',
            kind,
            reference: `${place}:${tag}`,
            release,
          });
          context.report({ step: `removed ${tag}` });
        };
        return { left: await prune({ ...ground, releases, removed }) };
      }),
    ),
  };
}

async function withGround<Result>(
  configuration: WorkerConfiguration,
  request: PruneRequest,
  body: (ground: Pick<PruneGround, 'access' | 'request' | 'keys'>) => Promise<Result>,
): Promise<Result> {
  const keys = await keysFor(configuration, request);
  // Disks may lie anywhere that the keys list: the log-ins for that are needed too.
  const scopes = keys.flatMap(({ repositories }) => repositories);
  const places = [request.repository, request.recordRepository, request.contextRepository, ...scopes];
  return withRegistryAccess(configuration, places, (access) => body({ access, request, keys }));
}

/**
 * What would be removed and kept.
 *
 * @throws FlightlineError `deletion-disabled` when there is something to remove, and the registry deletes nothing.
 */
export async function planPrune(ground: PruneGround): Promise<Decision[]> {
  const survey = await surveyRepository(ground.access, ground.request, ground.keys, await ground.releases());
  const decisions = decidePrune(survey, ground.request, (ground.now ?? Date.now)());
  requireDeletion(survey.deletion, ground.request.repository, decisions);
  return decisions;
}

function requireDeletion(deletion: string, repository: string, decisions: readonly Decision[]): void {
  const count = decisions.filter(({ verdict }) => verdict === 'remove').length;
  if (deletion !== 'none' || count === 0) return;
  throw new FlightlineError(
    'deletion-disabled',
    `the registry deletes nothing from ${repository}: ${count} releases or contexts that are no longer needed stay`,
  );
}

/**
 * Removes what is decided, contexts first. Before each the registry and Temporal are looked at again, and the same decision is
 * taken: what became needed meanwhile stays.
 *
 * @returns how many are left for another turn
 */
export async function prune(ground: PruneGround): Promise<number> {
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

/** Removes one release or context, in an order that leaves no tag on something unsigned wherever it is interrupted. */
async function remove(
  access: RegistryAccess,
  { removals }: Decision,
  recordRepository: string,
  byTag: boolean,
): Promise<void> {
  const record = removals.find(({ repository }) => repository === recordRepository);
  const parts = removals.filter((one) => one !== record);
  for (const part of parts) await removeManifest(access, part, byTag);
  for (const part of parts) await removeSignatures(access, part);
  if (!record) return;
  await removeManifest(access, record, byTag);
  await removeSignatures(access, record);
}

async function removeManifest(access: RegistryAccess, removal: Removal, byTag: boolean): Promise<void> {
  const { repository, tag, digest, entries, nameOnly } = removal;
  // By digest alone some registries would leave the name, and others refuse while there is one.
  if (byTag) await deleteManifest(access, repository, tag);
  if (nameOnly) return;
  for (const one of [digest, ...entries]) await deleteManifest(access, repository, one);
  if ((await headManifest(access, repository, tag)) !== digest) return;
  throw new FlightlineError('registry', `${repository}:${tag} was deleted, and still points at ${digest}`);
}

async function removeSignatures(
  access: RegistryAccess,
  { repository, digest, entries, nameOnly }: Removal,
): Promise<void> {
  if (nameOnly) return;
  for (const one of [digest, ...entries]) {
    const signature = await headManifest(access, repository, signatureTag(one));
    if (signature !== null) await deleteManifest(access, repository, signature);
  }
}

/** A page of the decision from a tag on, as large as a payload may be. Pure. */
export function pageOf(decisions: readonly Decision[], from: number): { groups: PruneGroup[]; next: number | null } {
  let end = decisions.length;
  // Halved until it fits: a page has hundreds of tags.
  while (jsonBytes(groupDecisions(decisions.slice(from, end))) > MAX_PAGE) end = from + Math.ceil((end - from) / 2);
  return { groups: groupDecisions(decisions.slice(from, end)), next: end < decisions.length ? end : null };
}
