import { readdir, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { ACTIVITIES } from '../../model/contract/activities.ts';

/** Files that are started or imported by name in dist/. All others go into shared chunks. */
const ENTRIES = [
  'client/main.ts',
  'client/commands/*.ts',
  'client/lint/rules/*.ts',
  'workers/run.ts',
  ...Object.values(ACTIVITIES).map(({ file }) => `activities/${file}.ts`),
  'scripts/demo.ts',
  'scripts/setup/set-up.ts',
];
/** The one file that takes Temporal's packages into dist/ with it. */
const CLIENT_SDK = 'client/temporal/sdk.ts';
/** Loaded only by processes that send traces, and bundled: installed with what it needs it has 33 MB. */
const TRACING = '@temporalio/interceptors-opentelemetry/';
/** CommonJS packages call `require`, which ES modules do not have. */
const REQUIRE =
  "import { createRequire as $createRequire } from 'node:module';\n" +
  'const require = $createRequire(import.meta.url);';

/**
 * Bundles the code with the libraries that it loads, so that a start reads a dozen files instead of hundreds. Does not
 * minify, so that stack traces stay legible, and writes source maps beside the files.
 *
 * @returns the paths of all files that went into it.
 */
export async function bundleCode(root: string, dist: string): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ENTRIES,
    outbase: root,
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: REQUIRE },
    sourcemap: 'linked',
    sourcesContent: false,
    metafile: true,
    logLevel: 'warning',
    plugins: [temporalOutside(join(root, CLIENT_SDK)), zodInEnglish],
  });
  await removeLeftovers(dist, new Set(Object.keys(metafile.outputs).map((file) => relative(dist, join(root, file)))));
  return Object.keys(metafile.inputs);
}

/**
 * Leaves Temporal's packages where npm installs them: workers need their native part, and all that workers load must be
 * one copy. Only the client's own door to the SDK is bundled, and the interceptors of traces.
 */
function temporalOutside(sdk: string): Plugin {
  return {
    name: 'temporal-outside',
    setup(builder) {
      builder.onResolve({ filter: /^@temporalio\// }, ({ path, importer }) =>
        importer === sdk || path.startsWith(TRACING) || importer.includes('/node_modules/')
          ? undefined
          : { external: true },
      );
    },
  };
}

/** Bundles zod with its English messages only: all languages together are half of its code. */
const zodInEnglish: Plugin = {
  name: 'zod-in-english',
  setup(builder) {
    builder.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    }));
  },
};

/** Removes what an earlier build wrote and this one did not. */
async function removeLeftovers(dist: string, written: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const file = relative(dist, path);
    if (!entry.isFile() || !/\.js(?:\.map)?$/.test(file)) continue;
    if (!written.has(file)) await rm(path);
  }
}
