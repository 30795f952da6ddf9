/** Sends everything that the SDK and its native core log through the worker's own log. */
import { Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import { sdkLogger } from './log.ts';

/** Installs the SDK's runtime; once for a process, before the first connection. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    logger: sdkLogger(logger),
    telemetryOptions: { logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } } },
  });
}
