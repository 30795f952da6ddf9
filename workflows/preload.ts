/**
 * What all workflows of a worker share (`preloadModules` of the bundler): zod, the contract's schemas, and their own
 * code. Without it each workflow evaluates its own copy, which V8 never optimises (bench/RESULTS.md). No module here
 * may hold the state of a workflow: the worker freezes what they export, and test/unit/house.test.ts looks for the
 * rest.
 */
import './index.ts';
import './interceptors.ts';

/** webpack's table of modules by id, which is a path. */
declare const __webpack_modules__: Readonly<Record<string, unknown>>;

const SHARED = /\/(zod|model)\//;

/**
 * The worker deeply freezes what shared modules export, except what is frozen already. A schema computes parts of
 * itself on first use and must not be frozen, so only the exports themselves are.
 */
const { __webpack_module_cache__: cache } = globalThis as {
  __webpack_module_cache__?: Record<string, { exports: unknown } | undefined>;
};
for (const id of Object.keys(__webpack_modules__)) {
  const loaded = SHARED.test(id) ? cache?.[id] : undefined;
  if (loaded) Object.freeze(loaded.exports);
}

/**
 * The SDK maps all ten lines of the stack of every promise to its source, which takes a sixth of a control worker's
 * time. Four lines are enough to find a fault.
 */
Error.stackTraceLimit = 4;
