/** What the first release would wait for otherwise. Nothing of it keeps a worker from polling. */
import type { Logger } from 'pino';
import { podmanInfo } from '../activities/tools/podman/podman.ts';
import type { Role } from '../model/contract/queue.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/**
 * Begins to ask podman about itself, and to try the keys. Whoever needs the answer is told what is wrong; of a key the
 * operator may read it before.
 */
export function warmUp(roles: readonly Role[], configuration: WorkerConfiguration, logger: Logger): void {
  if (roles.includes('build')) void podmanInfo().catch(() => undefined);
  if (roles.includes('sign')) void tryKeys(configuration, logger);
}

async function tryKeys(configuration: WorkerConfiguration, logger: Logger): Promise<void> {
  const { proveKeys } = await import('../activities/trust/prove-signing.ts');
  const problems = await proveKeys(configuration);
  for (const problem of problems) logger.warn({ event: 'key-unusable' }, problem);
}
