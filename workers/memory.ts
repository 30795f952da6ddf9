/** How a worker's process is started so that it needs less memory. */

/**
 * Variables that a worker needs at its start. glibc gives each thread a heap and returns its memory late (mallopt(3),
 * `M_ARENA_MAX`), and V8 keeps up to 3 × 16 MiB for new objects in the main thread and in the workflows' (`node
 * --v8-options`): a sixth of a busy control worker's memory (bench/RESULTS.md). `deploy/` sets the same.
 */
const WORKER_MEMORY = { MALLOC_ARENA_MAX: '2', NODE_OPTIONS: '--max-semi-space-size=4' } as const;

/** An environment with {@link WORKER_MEMORY}. Variables that are set already stay. Pure. */
export function withWorkerMemory(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: own = '' } = environment;
  const options = /semi-space-size/.test(own) ? own : `${own} ${WORKER_MEMORY.NODE_OPTIONS}`.trim();
  return { ...WORKER_MEMORY, ...environment, NODE_OPTIONS: options };
}
