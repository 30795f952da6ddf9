import { writeFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { workflowModules } from '../workers/workflow-modules.ts';

/**
 * Writes dist/workflow-bundle.js, which workers load instead of bundling at each start (0.1 s instead of 3 s).
 * The bundle must be made by exactly the installed version of `@temporalio/worker`.
 */
const here = path.dirname(fileURLToPath(import.meta.url));
const compiled = path.extname(fileURLToPath(import.meta.url)) === '.js';
const { code } = await bundleWorkflowCode({ ...workflowModules(), logger: new DefaultLogger('WARN') });
const target = path.join(here, ...(compiled ? ['..'] : ['..', 'dist']), 'workflow-bundle.js');
const unfinished = `${target}.${process.pid}`;
await writeFile(unfinished, code);
// A worker that starts meanwhile reads the old bundle or the new one, never half of one.
await rename(unfinished, target);
