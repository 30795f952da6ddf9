/** The workflow types that control workers offer; names as in spec/contract.ts. */
export { builderRun } from './builder-run.ts';
export { log } from './log.ts';
export { notification } from './notification.ts';
export { plan } from './dry-run.ts';
export { prune } from './prune.ts';
export { release } from './release.ts';
