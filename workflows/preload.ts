/**
 * What all workflows of a worker share (`preloadModules` of the bundler): zod and the contract's schemas. Without it each workflow
 * evaluates them anew and keeps its own, about a megabyte (docs/benchmarks.md). They hold no state of a workflow.
 */
import '../spec/approval.ts';
import '../spec/contract.ts';
import '../spec/dry-run.ts';
import '../spec/host-status.ts';
import '../spec/messages.ts';
import '../spec/metric.ts';
import '../spec/nightly.ts';
import '../spec/notification.ts';
import '../spec/promotion.ts';
import '../spec/prune.ts';
import '../spec/red-hat.ts';
import '../spec/shared-tag.ts';
import '../spec/stage.ts';

/** webpack's table of modules by id, which is a path. */
declare const __webpack_modules__: Readonly<Record<string, unknown>>;

const SHARED = /\/(zod|spec)\//;

/**
 * The worker freezes whatever the shared modules export, through and through, and leaves out what is frozen already. A schema works
 * out parts of itself when it is first used, and must not be frozen: so the exports are, and nothing below them.
 */
const { __webpack_module_cache__: cache } = globalThis as {
  __webpack_module_cache__?: Record<string, { exports: unknown } | undefined>;
};
for (const id of Object.keys(__webpack_modules__)) {
  const loaded = SHARED.test(id) ? cache?.[id] : undefined;
  if (loaded) Object.freeze(loaded.exports);
}
