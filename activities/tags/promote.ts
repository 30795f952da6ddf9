/** The activities of a promotion: plan it from the verified record, copy by mounting, record it under the new name. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { PlanPromotionInput, PromoteCopyInput, PromoteRecordInput } from '../../model/contract/tags.ts';
import type { Task } from '../tools/process/task.ts';
import { needsApproval } from '../../model/release/approval.ts';
import { requireOwnRepositories } from '../trust/own-repositories.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import {
  counterpart,
  promotedItems,
  promotedRecord,
  type PromotionPlan,
  type PromotionRequest,
} from '../../model/tags/promotion.ts';
import { registryOf } from '../../model/oci/reference.ts';
import { madeAt } from '../../model/tags/shared-tag.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { allowedKey, openKey } from '../trust/keys.ts';
import { findRecord } from '../trust/record.ts';
import { writeRecord } from './record.ts';
import { recordByAnyKey } from './shared-tag.ts';
import { audit } from '../trust/sign.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { mountManifest } from '../tools/registry/mount.ts';
import { headManifest, missingPart } from '../tools/registry/registry.ts';
import { copyImage } from '../tools/registry/skopeo.ts';

type Worker = { configuration: WorkerConfiguration };

/** The `planPromotion` activity of control workers. */
export function planPromotion(
  { configuration }: Worker,
  { request }: PlanPromotionInput,
): Promise<ActivityAnswer<'planPromotion'>> {
  const { source, target } = request;
  const names = [source.repository, request.recordRepository, target.repository, targetRecords(request)];
  return withRegistryAccess(configuration, names, (access) => plan(access, configuration, request));
}

/** The `promoteCopy` activity of sign workers. */
export async function promoteCopy(
  { configuration }: Worker,
  { item, key, timing }: PromoteCopyInput,
): Promise<ActivityAnswer<'promoteCopy'>> {
  const { digest, from, to } = item;
  allowedKey(configuration, key, [to.repository]);
  if (from.repository === to.repository) return { mounted: 0 };
  return withRegistryAccess(configuration, [from.repository, to.repository], async (access) => {
    const names = { from: from.repository, to: to.repository };
    const mounted = registryOf(names.from) === registryOf(names.to) ? await mountManifest(access, names, digest) : null;
    if (mounted) return mounted;
    const name = (repository: string) => `docker://${repository}@${digest}`;
    await copyImage(
      access,
      { source: name(names.from), destination: name(names.to) },
      { timeout: timing.transferStartToClose, stall: timing.stall },
    );
    return { mounted: null };
  });
}

/** The `promoteRecord` activity of sign workers. */
export async function promoteRecord(
  { configuration }: Worker,
  input: PromoteRecordInput,
  context: Task,
): Promise<ActivityAnswer<'promoteRecord'>> {
  const { request, timing } = input;
  const { target } = request;
  const { recordRepository } = input.plan;
  const key = await openKey(configuration, input.plan.key, [recordRepository]);
  const { publicKey } = allowedKey(configuration, input.plan.sourceKey, [request.recordRepository]);
  const image = input.plan.items.at(-1)!;
  const repositories = [request.recordRepository, recordRepository, target.repository];
  return withRegistryAccess(configuration, repositories, async (access) => {
    const from = { repository: request.recordRepository, tag: request.source.tag, at: input.plan.record };
    const found = await findRecord(access, from, publicKey);
    if (!found) throw unverified(request);
    const record = promotedRecord(found.record, input);
    const shared = { tags: [target.tag], repository: target.repository, digest: image.digest };
    const named = { repository: recordRepository, tags: [target.tag], shared, record, timing };
    return { digest: await writeRecord(access, key, named, audit(context, input.plan.key, input.release)) };
  });
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
  const found = await recordByAnyKey(access, configuration, { repository: request.recordRepository, tag: source.tag });
  if (!found) throw unverified(request);
  const { record } = found;
  const now = await headManifest(access, source.repository, source.tag);
  if (now === null || now !== record.image.digest) {
    throw impossible(`${name} points at ${now ?? 'nothing'}, and its record is of ${record.image.digest}`);
  }
  const planned = promotedItems(record, source, target);
  if (!planned.ok) throw impossible(`${name} cannot become ${target.repository}:${target.tag}: ${planned.problem}`);
  for (const { from, digest } of planned.items) {
    const missing = await missingPart(access, from.repository, digest);
    if (missing === null) continue;
    throw impossible(
      `${from.repository} has lost ${missing}, which belongs to ${name}`,
      `release ${name} again, which makes what is lost, then promote it`,
    );
  }
  const recordRepository = targetRecords(request);
  const key = request.key ?? found.key;
  const repositories = [...planned.items.map(({ to }) => to.repository), recordRepository];
  requireOwnRepositories(configuration, target.repository, repositories);
  if (request.key === null) requireKeyFor(configuration, found.key, repositories);
  await requireNoRelease(access, configuration, request, recordRepository);
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

/** The source's key is the default. Where it may not sign, a person names another. */
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
 * A version that was released under its own name is not replaced by another one. @throws FlightlineError `tag-exists`
 */
async function requireNoRelease(
  access: RegistryAccess,
  configuration: WorkerConfiguration,
  { source, target }: PromotionRequest,
  recordRepository: string,
): Promise<void> {
  const name = `${target.repository}:${target.tag}`;
  if (name === `${source.repository}:${source.tag}`) throw impossible(`${name} cannot be promoted to itself`);
  const there = await recordByAnyKey(access, configuration, { repository: recordRepository, tag: target.tag });
  if (!there || there.record.promotion || there.record.image.reference !== name) return;
  throw new FlightlineError('tag-exists', `${name} is a release's own tag: a promotion does not replace it`, {
    remedy: { action: 'promote to another tag', then: null },
  });
}

function unverified({ source, recordRepository }: PromotionRequest): FlightlineError {
  return impossible(
    `no key of the worker configuration has signed a record ${recordRepository}:${source.tag} for ` +
      `${source.repository}:${source.tag}`,
    'promote a release of flightline; if its records are elsewhere, add --record-repository',
  );
}

function impossible(message: string, action = 'promote another release, or release it again'): FlightlineError {
  return new FlightlineError('invalid-input', message, { remedy: { action, then: null } });
}
