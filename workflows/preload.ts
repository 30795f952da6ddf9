/**
 * What all workflows of a worker share (`preloadModules` of the bundler): zod, the contract's schemas, and their own
 * code. Without it each workflow evaluates them anew and keeps its own, and V8 never gets to know them
 * (bench/RESULTS.md). So no module here may hold the state of a workflow: the worker freezes what they export, and
 * test/unit/house.test.ts looks for the rest.
 */
import './index.ts';
import './interceptors.ts';

/** webpack's table of modules by id, which is a path. */
declare const __webpack_modules__: Readonly<Record<string, unknown>>;

const SHARED = /\/(zod|model)\//;

/**
 * The worker freezes whatever the shared modules export, through and through, and leaves out what is frozen already.
 * A schema works out parts of itself when it is first used, and must not be frozen: so the exports are, and nothing
 * below them.
 */
const { __webpack_module_cache__: cache } = globalThis as {
  __webpack_module_cache__?: Record<string, { exports: unknown } | undefined>;
};
for (const id of Object.keys(__webpack_modules__)) {
  const loaded = SHARED.test(id) ? cache?.[id] : undefined;
  if (loaded) Object.freeze(loaded.exports);
}

/**
 * The SDK keeps a stack for every promise of a workflow, and works out the source of each of its ten lines: a sixth
 * of a control worker's time. Four still say where a fault of this code is.
 */
Error.stackTraceLimit = 4;
