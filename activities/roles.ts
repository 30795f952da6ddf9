/** Which activities a role offers, by task queue. Each is made of its stage's file and the role's own context. */
import type {
  BuildActivities,
  ClaimActivities,
  ControlActivities,
  DiskActivities,
  HostActivities,
  SignActivities,
  TransferActivities,
} from '../spec/contract.ts';
import type { NotifyActivities } from '../spec/notification.ts';
import type { PromotionControlActivities, PromotionSignActivities } from '../spec/promotion.ts';
import type { PruneActivities } from '../spec/prune.ts';
import type { SharedTagActivities } from '../spec/shared-tag.ts';
import type { WorkerConfiguration } from '../spec/worker-configuration.ts';
import { makeBootTest } from './boot-test.ts';
import { makeBuild } from './build.ts';
import { makeClaim } from './claim.ts';
import { makeCleanUp } from './clean-up.ts';
import { makeCompare } from './compare.ts';
import { makeDeviceVerify } from './device-verify.ts';
import { makeDiskBuild } from './disk-build.ts';
import { makeHostStatus } from './host-status.ts';
import { makeHosts } from './hosts.ts';
import { makeKeepLogs } from './keep-logs.ts';
import { makeLogPage } from './log-page.ts';
import { makeNotify } from './notify.ts';
import { makePlan } from './plan.ts';
import { makeProbe } from './probe.ts';
import { makePromote, makePromotionPlan } from './promote.ts';
import { makeProveSigning } from './prove-signing.ts';
import { makePrune } from './prune.ts';
import { makePublish } from './publish.ts';
import { makePush } from './push.ts';
import { makeRecord } from './record.ts';
import { makeResolve } from './resolve.ts';
import { makeSharedTag } from './shared-tag.ts';
import { makeSign } from './sign.ts';
import { makeSupersede } from './supersede.ts';
import { makeTag } from './tag.ts';
import { makeVerify } from './verify.ts';
import type { HostContext } from './work-directory.ts';

/** For control workers: they read, but for the context repository, where a git context is sent. */
export function createControlActivities(worker: {
  configuration: WorkerConfiguration;
}): ControlActivities & SharedTagActivities & PromotionControlActivities & NotifyActivities {
  return {
    resolve: makeResolve(worker),
    plan: makePlan(worker),
    compare: makeCompare(worker),
    supersede: makeSupersede(),
    hosts: makeHosts(),
    notify: makeNotify(worker),
    ...makeSharedTag(worker),
    ...makePromotionPlan(worker),
  };
}

/** For sign workers. */
export function createSignActivities(worker: {
  configuration: WorkerConfiguration;
}): SignActivities & PromotionSignActivities & PruneActivities {
  return {
    proveSigning: makeProveSigning(worker),
    sign: makeSign(worker),
    verify: makeVerify(worker),
    tag: makeTag(worker),
    record: makeRecord(worker),
    ...makePromote(worker),
    ...makePrune(worker),
  };
}

/** For build hosts: one object for each of their queues. */
export function createHostActivities(host: HostContext): {
  claim: ClaimActivities;
  build: BuildActivities;
  disk: DiskActivities;
  transfer: TransferActivities;
  short: HostActivities;
} {
  const claim = makeClaim(host);
  return {
    claim: { claim },
    build: { build: makeBuild(host), deviceVerify: makeDeviceVerify(host) },
    disk: { diskBuild: makeDiskBuild(host), bootTest: makeBootTest(host) },
    transfer: { push: makePush(host), publish: makePublish(host) },
    short: {
      claim,
      probe: makeProbe(host),
      cleanUp: makeCleanUp(host),
      logPage: makeLogPage(host),
      keepLogs: makeKeepLogs(host),
      hostStatus: makeHostStatus(host),
    },
  };
}
