/** Which activities a role offers, by task queue. Each is made of its stage's file and the role's own context. */
import type {
  BuildActivities,
  ClaimActivities,
  ControlActivities,
  DiskActivities,
  HostActivities,
  SignActivities,
  TransferActivities,
} from '../model/contract/contract.ts';
import type { NotifyActivities } from '../model/release/notification.ts';
import type { PromotionControlActivities, PromotionSignActivities } from '../model/tags/promotion.ts';
import type { PruneActivities } from '../model/release/prune.ts';
import type { SharedTagActivities } from '../model/tags/shared-tag.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { makeBootTest } from './disk/boot-test.ts';
import { makeBuild } from './image/build.ts';
import { makeClaim } from './host/claim.ts';
import { makeCleanUp } from './sweep/clean-up.ts';
import { makeCompare } from './resolve/compare.ts';
import { makeDeviceVerify } from './image/device-verify.ts';
import { makeDiskBuild } from './disk/build.ts';
import { makeHostStatus } from './host/status.ts';
import { makeHosts } from './host/hosts.ts';
import { makeKeepLogs } from './host/keep-logs.ts';
import { makeLogPage } from './host/log-page.ts';
import { makeNotify } from './notify.ts';
import { makePlan } from './resolve/plan.ts';
import { makeProbe } from './host/probe.ts';
import { makePromote, makePromotionPlan } from './tags/promote.ts';
import { makeProveSigning } from './trust/prove-signing.ts';
import { makePrune } from './prune/prune.ts';
import { makePublish } from './disk/publish.ts';
import { makePush } from './image/push.ts';
import { makeRecord } from './tags/record.ts';
import { makeResolve } from './resolve/resolve.ts';
import { makeSharedTag } from './tags/shared-tag.ts';
import { makeSign } from './trust/sign.ts';
import { makeSupersede } from './resolve/supersede.ts';
import { makeTag } from './tags/tag.ts';
import { makeVerify } from './trust/verify.ts';
import type { HostContext } from './host/work-directory.ts';

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
