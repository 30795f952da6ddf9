/** `flightline worker`: workers of this machine against an existing Temporal. */
import { ROLES } from '../../model/contract/queue.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';

/** Options of `flightline worker`. */
export interface WorkerCommandOptions {
  /** Names of roles, checked by the command line. */
  role: string[];
  hostName?: string | undefined;
  /** The worker configuration's file. */
  config?: string | undefined;
  /** `IP:PORT` of the metrics endpoint. */
  metrics?: string | undefined;
}

/** Runs the workers until they are told to stop. Their log goes to stdout, a JSON object on each line. */
export async function worker(options: WorkerCommandOptions, _output: Output): Promise<number> {
  const { runWorker } = await import('../../workers/run.ts');
  await runWorker({
    roles: ROLES.filter((role) => options.role.includes(role)),
    ...(options.hostName === undefined ? {} : { hostName: options.hostName }),
    ...(options.config === undefined ? {} : { configurationFile: options.config }),
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
  });
  return EXIT.ok;
}
