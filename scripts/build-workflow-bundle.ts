import { writeFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/**
 * Writes dist/workflow-bundle.js, which workers load instead of bundling at each start (0.1 s instead of 3 s).
 * The bundle must be made by exactly the installed version of `@temporalio/worker`.
 */
const here = path.dirname(fileURLToPath(import.meta.url));
const extension = path.extname(fileURLToPath(import.meta.url));
const compiled = extension === '.js';
const workflows = path.join(here, '..', 'workflows');
const { code } = await bundleWorkflowCode({
  workflowsPath: path.join(workflows, `index${extension}`),
  workflowInterceptorModules: [path.join(workflows, `interceptors${extension}`)],
  preloadModules: [path.join(workflows, `preload${extension}`)],
  logger: new DefaultLogger('WARN'),
});
const target = path.join(here, ...(compiled ? ['..'] : ['..', 'dist']), 'workflow-bundle.js');
const unfinished = `${target}.${process.pid}`;
await writeFile(unfinished, code);
// A worker that starts meanwhile reads the old bundle or the new one, never half of one.
await rename(unfinished, target);
