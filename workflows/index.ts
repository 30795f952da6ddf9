/** The workflow types that control workers offer; names as in model/contract/workflows.ts. */
export { builderRun } from './release/builder-run.ts';
export { hostStatus } from './host/status.ts';
export { log } from './host/log.ts';
export { compareNow } from './nightly/compare-now.ts';
export { nightly } from './nightly/nightly.ts';
export { promotion } from './tags/promotion.ts';
export { notification } from './notification.ts';
export { plan } from './plan.ts';
export { prune } from './prune.ts';
export { release } from './release/release.ts';
export { sharedTag, tagNow } from './tags/shared-tag.ts';
