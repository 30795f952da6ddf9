/** The modules of the workflow bundle, for all that make it: the build, a worker without a bundle, the tests. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { BundleOptions } from '@temporalio/worker';
import { packageRoot } from '../activities/tools/package-root.ts';

const TRACING = () =>
  createRequire(import.meta.url).resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors.js');

/**
 * Absolute paths of the workflows, of their interceptors, and of the modules that all of them share.
 *
 * @param traced with the SDK's interceptors that send traces. Without them the bundle is a quarter smaller.
 */
export function workflowModules(
  traced = false,
): Required<Pick<BundleOptions, 'workflowsPath' | 'workflowInterceptorModules' | 'preloadModules'>> {
  const module = (name: string) => join(packageRoot(), 'workflows', `${name}.ts`);
  return {
    workflowsPath: module('index'),
    workflowInterceptorModules: [...(traced ? [TRACING()] : []), module('interceptors')],
    preloadModules: [module('preload')],
  };
}
