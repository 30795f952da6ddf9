/** What the workflow bundle is made of, whoever makes it: the build, a worker without one, the tests. */
import { join } from 'node:path';
import type { BundleOptions } from '@temporalio/worker';
import { packageRoot } from '../activities/tools/package-root.ts';

/**
 * Absolute paths of the workflows, of what every one of them does with what it sends, and of what all of them share.
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
