/** The one table of bodies: what does the work of each activity. Nobody else imports the frame. */
import { ACTIVITIES, activitiesOn } from '../model/contract/activities.ts';
import type { ActivitiesOn, ActivityAnswer, ActivityInput, ActivityName } from '../model/contract/activities.ts';
import type { ActivityQueue } from '../model/contract/activity.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { testBoot } from './disk/boot-test.ts';
import { buildDisks } from './disk/build.ts';
import { publishDisk } from './disk/publish.ts';
import { framed } from './frame.ts';
import { claimHost } from './host/claim.ts';
import { listHosts } from './host/hosts.ts';
import { keepHostLogs } from './host/logs/keep-logs.ts';
import { logPage } from './host/logs/log-page.ts';
import { probe } from './host/probe.ts';
import { describeStatus } from './host/status.ts';
import type { HostContext } from './host/work-directory.ts';
import { buildImage } from './image/build.ts';
import { verifyOnDevice } from './image/device-verify.ts';
import { pushImage } from './image/push.ts';
import { notify } from './notify.ts';
import { prunePage, pruneTurn } from './prune/prune.ts';
import { compareNightly } from './resolve/compare.ts';
import { planRelease } from './resolve/plan.ts';
import { resolveRelease } from './resolve/resolve.ts';
import { supersede } from './resolve/supersede.ts';
import type { ActivityContext } from './server.ts';
import { cleanUpHost } from './sweep/clean-up.ts';
import { planPromotion, promoteCopy, promoteRecord } from './tags/promote.ts';
import { recordRelease } from './tags/record.ts';
import { lookAtTag, moveSharedTag, planRollback } from './tags/shared-tag.ts';
import { tagRelease } from './tags/tag.ts';
import { proveRightToSign } from './trust/prove-signing.ts';
import { signSubject } from './trust/sign.ts';
import { verifySubject } from './trust/verify.ts';

/** What bodies know of where they run: control and sign workers their configuration, build workers their host. */
type Place<Queue extends ActivityQueue> = Queue extends 'control' | 'sign'
  ? { configuration: WorkerConfiguration }
  : HostContext;
type Body<Name extends ActivityName> = (
  place: Place<(typeof ACTIVITIES)[Name]['queues'][number]>,
  input: ActivityInput<Name>,
  context: ActivityContext,
) => Promise<ActivityAnswer<Name>>;

const BODIES: { [Name in ActivityName]: Body<Name> } = {
  resolve: resolveRelease,
  plan: planRelease,
  compare: compareNightly,
  supersede,
  hosts: listHosts,
  notify,
  moveSharedTag,
  lookAtTag,
  planRollback,
  planPromotion,

  proveSigning: proveRightToSign,
  sign: signSubject,
  verify: verifySubject,
  tag: tagRelease,
  record: recordRelease,
  promoteCopy,
  promoteRecord,
  planPrune: prunePage,
  prune: pruneTurn,

  claim: (host, input) => claimHost(host, input),
  build: buildImage,
  deviceVerify: verifyOnDevice,
  diskBuild: buildDisks,
  bootTest: testBoot,
  push: pushImage,
  publish: publishDisk,
  probe,
  cleanUp: cleanUpHost,
  logPage,
  keepLogs: keepHostLogs,
  hostStatus: describeStatus,
};

/** The activities of a queue, as a worker offers them. */
export function offeredOn<Queue extends ActivityQueue>(queue: Queue, place: Place<Queue>): ActivitiesOn<Queue> {
  const offered = activitiesOn(queue).map((name) => {
    const body = BODIES[name] as (at: object, input: unknown, context: ActivityContext) => Promise<object>;
    return [name, framed(name, ACTIVITIES[name].input, (input, context) => body(place, input, context))];
  });
  return Object.fromEntries(offered) as ActivitiesOn<Queue>;
}
