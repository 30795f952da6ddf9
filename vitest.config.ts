import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** Tests that take minutes each end in `.long.test.ts`; only `npm run test:long` runs them. */
const LONG = '**/*.long.test.ts';

/** A project's global set-up file, when that project has one. */
function globalSetup(file: string): string[] {
  return existsSync(new URL(file, import.meta.url)) ? [file] : [];
}

export default defineConfig({
  test: {
    pool: 'forks',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // One process and one module graph for all: a test of this kind must not leave anything behind.
          pool: 'threads',
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'workflows',
          include: ['test/workflows/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: globalSetup('./test/workflows/global-setup.ts'),
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      // The real tools share one container storage and two cores: a file at a time.
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: [LONG],
          globalSetup: globalSetup('./test/e2e/global-setup.ts'),
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: [LONG],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'long',
          include: [`test/${LONG}`],
          globalSetup: globalSetup('./test/e2e/global-setup.ts'),
          fileParallelism: false,
          testTimeout: 1_800_000,
          hookTimeout: 600_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
