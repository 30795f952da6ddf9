import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.ts';

/** Tests that take minutes each end in `.long.test.ts`; only `npm run test:long` runs them. */
const LONG = '**/*.long.test.ts';

// podman, skopeo, the registry and Temporal are written in Go and short-lived here; with the default, they spend up to a
// quarter of their time on collecting garbage. What tests start inherits it.
process.env['GOGC'] ??= '400';

/** Files of the real tools that run at a time, on two cores: most of them wait for one program after the other. */
const REAL_TOOLS = {
  maxWorkers: 3,
  // A process reads the code once for all of its files.
  isolate: false,
  setupFiles: ['./test/support/on-failure.ts'],
  testTimeout: 300_000,
  hookTimeout: 300_000,
};

export default defineConfig({
  test: {
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          exclude: [LONG],
          // One module graph for all files: a test of this kind must not leave anything behind.
          pool: 'threads',
          isolate: false,
          maxWorkers: 2,
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'workflows',
          include: ['test/workflows/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: ['./test/workflows/global-setup.ts'],
          isolate: false,
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: ['./test/support/clean-storage.ts', './test/e2e/global-setup.ts'],
          // Tests that are concurrent wait for each other (test/support/together.ts).
          maxConcurrency: 500,
          ...REAL_TOOLS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: ['./test/support/clean-storage.ts'],
          ...REAL_TOOLS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'long',
          include: [`test/${LONG}`],
          globalSetup: ['./test/support/clean-storage.ts', './test/e2e/global-setup.ts'],
          setupFiles: ['./test/support/on-failure.ts'],
          maxWorkers: 1,
          testTimeout: 1_800_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
