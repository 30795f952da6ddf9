/** The modules of the workflow bundle, for all that make it: the build, a worker without a bundle, the tests. */
import { join } from 'node:path';
import type { BundleOptions } from '@temporalio/worker';
import { packageRoot } from '../activities/tools/package-root.ts';

/**
 * Absolute paths of the workflows, of their interceptors, and of the modules that all of them share.
 */
export function workflowModules(): Required<
  Pick<BundleOptions, 'workflowsPath' | 'workflowInterceptorModules' | 'preloadModules'>
> {
  const module = (name: string) => join(packageRoot(), 'workflows', `${name}.ts`);
  return {
    workflowsPath: module('index'),
    workflowInterceptorModules: [module('interceptors')],
    preloadModules: [module('preload')],
  };
}
