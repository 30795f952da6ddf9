/**
 * A release of several platforms that goes on without one of them: a branch of it is held, the spec allows it, and a
 * person says so. The plan that follows names the others alone; the record keeps who approved what.
 */
import type { Architecture } from '../../../model/base/host.ts';
import type { Decided, Decision, MissingPlatform } from '../../../model/release/approval.ts';
import { failureOf, lastBytes, type Failure } from '../../../model/failure/failure.ts';
import { remedyText } from '../../../model/failure/remedy-text.ts';
import { isOfBranch } from '../../../model/release/stage-table.ts';
import type { KeptPlatform } from '../../../model/release/record.ts';
import type { ResolveResult } from '../../../model/contract/control.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import { diskSubject, type StageKey } from '../../../model/stage/stage.ts';
import type { Plan } from '../plan.ts';
import { resetRows, unsignImage, type ReleaseState } from '../state.ts';

/** Bytes of the message that the record keeps. */
const MAX_REASON = 300;

/** Why a release does not go on without a platform; undefined when it may. */
export function refusalToLeaveOut(state: ReleaseState, { decision, without, comment }: Decision): Failure | undefined {
  const { repository, tag, platforms = [], allowMissing = [] } = state.request;
  const name = `${repository}:${tag}`;
  const refused = (message: string, action = 'look at it with `flightline status RELEASE`') =>
    failureOf('invalid-input', message, { remedy: { action, then: null } });
  if (!without || decision !== 'approve') return refused('only an approval can leave out a platform');
  if (state.ending || state.outcome) return refused(`${name} has ended`);
  if (!platforms.includes(without)) return refused(`${name} is not made for linux/${without}`);
  if (platforms.length === 1) return refused(`linux/${without} is the only platform that is left`);
  if (!allowMissing.includes(without)) {
    const add = `name linux/${without} in image.allowMissing, then \`flightline retry RELEASE --spec flightline.yaml\``;
    return refused(`the spec of ${name} does not allow linux/${without} to be missing`, add);
  }
  if (!heldFor(state, without)) return refused(`nothing of linux/${without} is held`);
  const tagged = [...state.moved, ...state.maybeMoved];
  if (tagged.length > 0) return refused(`tags have been moved to all its platforms already: ${tagged.join(', ')}`);
  return comment === '' ? refused('it is kept why a platform is missing', 'say it with `--comment`') : undefined;
}

/** Lets the release go on without a platform. Its branches meet the next plan, and end. */
export function leaveOut(state: ReleaseState, { by, comment }: Decision, platform: Architecture): Decided {
  const { kind, message } = heldFor(state, platform)!;
  const why = { kind, message: lastBytes(message, MAX_REASON) };
  state.leftOut = [...state.leftOut, { platform, by, at: new Date().toISOString(), comment, ...why }];
  state.next = withoutLeftOut(state.plan!, state.leftOut);
  return { reference: `${state.request.repository}:${state.request.tag}` };
}

/** A request for the platforms that are not left out. */
export function presentPlatforms(request: ReleaseRequest, leftOut: readonly MissingPlatform[]): ReleaseRequest {
  const { platforms } = request;
  if (!platforms || leftOut.length === 0) return request;
  return { ...request, platforms: platforms.filter((platform) => isPresent(platform, leftOut)) };
}

/** A plan for them. What it was going to take over whole is taken over in parts. */
export function withoutLeftOut({ request, resolved }: Plan, leftOut: readonly MissingPlatform[]): Plan {
  if (leftOut.length === 0) return { request, resolved };
  const { reuse, kept, bases, platforms, ...rest } = resolved;
  const stays = ({ platform }: { platform?: Architecture | undefined }) => !platform || isPresent(platform, leftOut);
  const parts = [...(kept ?? []), ...(reuse ? partsOf(reuse) : [])].filter(stays);
  return {
    request: presentPlatforms(request, leftOut),
    resolved: {
      ...rest,
      bases: bases.filter(stays),
      ...(platforms && { platforms: platforms.filter(stays) }),
      ...(parts.length > 0 && { kept: parts }),
    },
  };
}

/** Forgets what there is of platforms that were left out, and the indexes that they are in. */
export function dropLeftOut(state: ReleaseState, { resolved: { reuse } }: Plan): void {
  const { image, table, request, leftOut } = state;
  for (const platform of image.platforms.keys()) {
    // An earlier release's parts are taken over by the next plan.
    if (reuse || !isPresent(platform, leftOut)) image.platforms.delete(platform);
  }
  image.push = null;
  image.updates = undefined;
  unsignImage(state);
  state.joined.clear();
  table.updateAll(({ name }) => name === 'index', { status: 'waiting', at: Date.now() });
  for (const { type } of request.disks) resetRows(state, type);
}

/** A failure that holds a branch, with the way out where the spec allows its platform to be missing. */
export function withWayOut(
  { request }: ReleaseState,
  stopped: readonly Pick<StageKey, 'subject'>[],
  failure: Failure,
): Failure {
  const { platforms = [], allowMissing = [] } = request;
  const platform = allowMissing.find((one) => stopped.some(({ subject }) => isOf(subject, one)));
  if (!platform || platforms.length < 2) return failure;
  const usual = remedyText(failure, 'held branch');
  const other = `\`flightline approve RELEASE --without linux/${platform} --comment WHY\` to go on without it`;
  return { ...failure, remedy: { action: `${usual}; or ${other}`, then: null } };
}

/** What holds a branch of a platform. */
function heldFor({ holds, table }: ReleaseState, platform: Architecture): Failure | undefined {
  const rows = table.rows.filter(({ status, subject }) => status === 'held' && isOf(subject, platform));
  return [...holds].find(([branch]) => rows.some((row) => isOfBranch(row, branch)))?.[1];
}

/** Whether it is the subject of a platform's image, of its disks, or of the builder run that makes them. */
function isOf(subject: string, platform: Architecture): boolean {
  return subject.split('+').every((part) => part.endsWith(diskSubject('', platform)));
}

function isPresent(platform: Architecture, leftOut: readonly MissingPlatform[]): boolean {
  return !leftOut.some((one) => one.platform === platform);
}

/** The platforms of an image that was going to be taken over whole. Their disks are in indexes, and are made again. */
function partsOf({ platforms = [], builtAt }: NonNullable<ResolveResult['reuse']>): KeptPlatform[] {
  return platforms.flatMap(({ platform, digest }) =>
    digest === null ? [] : [{ platform, digest, ...(builtAt !== null && { builtAt }), disks: [] }],
  );
}
