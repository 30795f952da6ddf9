/** The workflow types that control workers offer; names as in spec/contract.ts. */
export { builderRun } from './builder-run.ts';
export { hostStatus } from './host-status.ts';
export { log } from './log.ts';
export { compareNow } from './compare-now.ts';
export { nightly } from './nightly.ts';
export { promotion } from './promotion.ts';
export { notification } from './notification.ts';
export { plan } from './dry-run.ts';
export { prune } from './prune.ts';
export { release } from './release.ts';
export { sharedTag, tagNow } from './shared-tag.ts';
