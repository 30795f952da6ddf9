/** The `planPromotion` activity of control workers: plans a promotion from the source's verified record. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PlanPromotionInput } from '../../model/contract/tags.ts';
import { needsApproval } from '../../model/release/approval.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { counterpart, promotedItems, type PromotionPlan, type PromotionRequest } from '../../model/tags/promotion.ts';
import { madeAt, refusalOfMove, refusalOfPromotion } from '../../model/tags/shared-tag.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { allowedKey } from '../trust/keys.ts';
import { requireOwnRepositories } from '../trust/own-repositories.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { notPromotable, recordNotSigned } from './not-promotable.ts';
import { recordByAnyKey, requirePublicKey } from './record-by-any-key.ts';
import type { WorkerBody } from '../server.ts';

function planPromotion(
  { configuration }: { configuration: WorkerConfiguration },
  { request }: PlanPromotionInput,
): Promise<ActivityAnswer<'planPromotion'>> {
  const { source, target } = request;
  const names = [source.repository, request.recordRepository, target.repository, targetRecords(request)];
  return withRegistryAccess(configuration, names, (access) => plan(access, configuration, request));
}

function targetRecords({ recordRepository, source, target }: PromotionRequest): string {
  return counterpart(recordRepository, source.repository, target.repository);
}

async function plan(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  request: PromotionRequest,
): Promise<PromotionPlan> {
  const { source, target } = request;
  const name = `${source.repository}:${source.tag}`;
  requirePublicKey(configuration, request.recordRepository);
  const found = await recordByAnyKey(access, configuration, { repository: request.recordRepository, tag: source.tag });
  if (!found) throw recordNotSigned(request);
  const { record } = found;
  const now = await access.repository(source.repository).headManifest(source.tag);
  if (now === null || now !== record.image.digest) {
    throw notPromotable(`${name} points at ${now ?? 'nothing'}, and its record is of ${record.image.digest}`);
  }
  const planned = promotedItems(record, source, target);
  if (!planned.ok) throw notPromotable(`${name} cannot become ${target.repository}:${target.tag}: ${planned.problem}`);
  for (const { from, digest } of planned.items) {
    const missing = await access.repository(from.repository).missingPart(digest);
    if (missing === null) continue;
    throw notPromotable(
      `${from.repository} has lost ${missing}, which belongs to ${name}`,
      `release ${name} again, which makes what is lost, then promote it`,
    );
  }
  const recordRepository = targetRecords(request);
  const key = request.key ?? found.key;
  const repositories = [...planned.items.map(({ to }) => to.repository), recordRepository];
  requireOwnRepositories(configuration, target.repository, repositories);
  if (request.key === null) requireKeyFor(configuration, found.key, repositories);
  await requireMovable(access, configuration, request, { recordRepository, digest: now, made: madeAt(record) });
  return {
    sourceKey: found.key,
    key,
    record: found.digest,
    recordRepository,
    madeBy: record.release,
    made: madeAt(record),
    approval: needsApproval(
      configuration.approvals,
      repositories.map((repository) => ({ repository, tags: [target.tag] })),
    ),
    items: planned.items,
  };
}

/** The source's key is the default. Where it may not sign, the user must name another. */
function requireKeyFor(configuration: WorkerConfiguration, key: string, repositories: readonly string[]): void {
  try {
    allowedKey(configuration, key, repositories);
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    throw new FlightlineError(error.failure.kind, error.message, {
      remedy: `say which key signs there: --key NAME; known are ${Object.keys(configuration.keys).join(', ')}`,
      cause: error,
    });
  }
}

/**
 * Refuses to replace a version that was released under this name, or something that was made later: before anything is
 * signed for it. The tag's workflow looks again when it moves the tag.
 *
 * @throws FlightlineError `tag-exists`, `back-in-time`
 */
async function requireMovable(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { source, target, allowOlder }: PromotionRequest,
  { recordRepository, digest, made }: { recordRepository: string; digest: string; made: string | null },
): Promise<void> {
  const name = `${target.repository}:${target.tag}`;
  if (name === `${source.repository}:${source.tag}`) throw notPromotable(`${name} cannot be promoted to itself`);
  const there = await recordByAnyKey(access, configuration, { repository: recordRepository, tag: target.tag });
  if (!there) return;
  const { record } = there;
  const refusal = refusalOfPromotion(target.repository, target.tag, record.release);
  if (refusal) throw new FlightlineError(refusal.kind, refusal.message, refusal);
  const now = await access.repository(target.repository).headManifest(target.tag);
  if (now === null || now !== record.image.digest) return;
  const found = {
    kind: 'found',
    digest: now,
    record: there.digest,
    release: record.release,
    made: madeAt(record),
  } as const;
  const entry = { ...found, at: '', by: null, why: '' };
  const refused = refusalOfMove([entry], { kind: 'promotion', made, allowOlder, digest });
  if (refused !== null) throw new FlightlineError('back-in-time', `${name} was not moved: ${refused}`);
}

export default planPromotion satisfies WorkerBody<'planPromotion'>;
