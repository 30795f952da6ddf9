/** What the workflow bundle is made of, whoever makes it: the build, a worker without one, the tests. */
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BundleOptions } from '@temporalio/worker';

/**
 * Absolute paths of the workflows, of what every one of them does with what it sends, and of what all of them share.
 */
export function workflowModules(): Required<
  Pick<BundleOptions, 'workflowsPath' | 'workflowInterceptorModules' | 'preloadModules'>
> {
  const here = fileURLToPath(import.meta.url);
  const module = (name: string) => join(dirname(here), '..', 'workflows', `${name}${extname(here)}`);
  return {
    workflowsPath: module('index'),
    workflowInterceptorModules: [module('interceptors')],
    preloadModules: [module('preload')],
  };
}
