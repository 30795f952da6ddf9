/**
 * Builds dist/. scripts/bootstrap.mjs calls it for whatever needs dist/, and not when nothing has changed.
 *
 *   --workflows   the workflow bundle too, which takes the longest
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../activities/tools/package-root.ts';
import { manualPages, verbOverview } from '../client/verbs.ts';
import { bundleCode } from './build/code.ts';
import { filesInWorkflows, thirdParty } from './build/third-party.ts';
import { bundleWorkflows } from './build/workflows.ts';

const root = packageRoot();
const dist = join(root, 'dist');
const workflows = join(dist, 'workflow-bundle.cjs');
const tracedWorkflows = join(dist, 'workflow-bundle-traced.cjs');
const [bundled] = await Promise.all([
  bundleCode(root, dist),
  process.argv.includes('--workflows') && bundleWorkflows(workflows, false),
  process.argv.includes('--workflows') && bundleWorkflows(tracedWorkflows, true),
]);
bundled.push(...filesInWorkflows(await readFile(tracedWorkflows, 'utf8')));
await writeFile(join(dist, 'THIRD-PARTY.md'), await thirdParty(root, bundled));
// `flightline --help` loads no verb.
await writeFile(join(dist, 'client/overview.json'), `${JSON.stringify(await verbOverview(), null, 2)}\n`);
// npm installs what package.json names of these.
await mkdir(join(dist, 'man'), { recursive: true });
for (const [name, page] of await manualPages()) await writeFile(join(dist, 'man', name), page);
