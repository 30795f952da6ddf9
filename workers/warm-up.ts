/** What the first release would wait for otherwise. Nothing of it keeps a worker from polling. */
import type { Logger } from 'pino';
import { podmanInfo } from '../activities/tools/podman/podman.ts';
import type { Role } from '../model/contract/queue.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/** Begins to ask podman about itself, and to prove the keys. The log tells which of them cannot sign. */
export function warmUp(roles: readonly Role[], configuration: WorkerConfiguration, logger: Logger): void {
  // Whoever needs it is told why it fails.
  if (roles.includes('build')) void podmanInfo().catch(() => undefined);
  if (roles.includes('sign')) void tryKeys(configuration, logger);
}

async function tryKeys(configuration: WorkerConfiguration, logger: Logger): Promise<void> {
  const { proveKeys } = await import('../activities/trust/prove-signing.ts');
  for (const problem of await proveKeys(configuration)) logger.warn({ event: 'key-unusable' }, problem);
}
