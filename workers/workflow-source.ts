/** The workflow code that a control worker runs, and its name: workers of one name run the same workflows. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowBundleOption } from '@temporalio/worker';
import { codeRoot } from '../activities/tools/package-root.ts';
import { version } from '../activities/tools/version.ts';
import { tracesWanted } from './telemetry/traces-wanted.ts';
import { workflowModules } from './workflow-modules.ts';

/** Workflow code, bundled. */
export interface WorkflowSource {
  bundle: WorkflowBundleOption;
  /**
   * The build id that the server notes with each workflow task: `flightline@<version>+<digest>`. The SDK's own has 91
   * bytes, and stands in two events of each task.
   */
  buildId: string;
}

/**
 * The bundle in a file: by default the prebuilt one beside the compiled code. Where there is none the workflows are
 * bundled now, which takes seconds. A worker that sends traces has a bundle of its own.
 */
export async function workflowSource(codePath = builtBundle()): Promise<WorkflowSource> {
  if (codePath !== undefined) return { bundle: { codePath }, buildId: buildIdOf(await readFile(codePath, 'utf8')) };
  const { bundleWorkflowCode, DefaultLogger } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({ ...workflowModules(tracesWanted()), logger: new DefaultLogger('WARN') });
  return { bundle: { code }, buildId: buildIdOf(code) };
}

function builtBundle(): string | undefined {
  const codePath = join(codeRoot(), tracesWanted() ? 'workflow-bundle-traced.cjs' : 'workflow-bundle.cjs');
  return existsSync(codePath) ? codePath : undefined;
}

function buildIdOf(code: string): string {
  // The source map holds paths of the machine that bundled.
  const [text] = code.split('//# sourceMappingURL=');
  return `flightline@${version()}+${createHash('sha256').update(text!).digest('hex').slice(0, 8)}`;
}
