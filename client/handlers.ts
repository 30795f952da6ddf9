/** What each verb of the command does. Every verb's code is loaded when it is called: `--help` needs none of it. */
import type { DeviceConfigOptions } from './commands/device-config.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { KeygenOptions } from './commands/keygen.ts';
import type { InitFlags } from './commands/init.ts';
import type { LintOptions } from './commands/lint.ts';
import type { PruneOptions } from './commands/prune.ts';
import type { ProvisionOptions } from './commands/provision.ts';
import type { RunOptions } from './commands/run.ts';
import type { RetryOptions } from './commands/steer.ts';
import type { UpOptions } from './commands/up.ts';
import type { WorkerCommandOptions } from './commands/worker.ts';
import type { Output } from './output.ts';

/** A verb's code: answers the exit code. */
export interface Handlers {
  init(directory: string, flags: InitFlags, output: Output): Promise<number>;
  lint(file: string, options: LintOptions, output: Output): Promise<number>;
  run(file: string, options: RunOptions, output: Output): Promise<number>;
  list(options: { limit: number }, output: Output): Promise<number>;
  status(release: string, output: Output): Promise<number>;
  watch(release: string, output: Output): Promise<number>;
  cancel(release: string, output: Output): Promise<number>;
  retry(release: string, options: RetryOptions, output: Output): Promise<number>;
  logs(release: string, options: { stage?: string | undefined }, output: Output): Promise<number>;
  prune(repository: string, options: PruneOptions, output: Output): Promise<number>;
  keygen(options: KeygenOptions, output: Output): Promise<number>;
  verify(reference: string, options: { key: string }, output: Output): Promise<number>;
  deviceConfig(file: string, options: DeviceConfigOptions, output: Output): Promise<number>;
  provision(mechanism: string, options: ProvisionOptions, output: Output): Promise<number>;
  doctor(options: DoctorOptions, output: Output): Promise<number>;
  up(options: UpOptions, output: Output): Promise<number>;
  worker(options: WorkerCommandOptions, output: Output): Promise<number>;
}

/** The real ones. */
export const handlers: Handlers = {
  init: async (...given) => (await import('./commands/init.ts')).init(...given),
  lint: async (...given) => (await import('./commands/lint.ts')).lint(...given),
  run: async (...given) => (await import('./commands/run.ts')).run(...given),
  list: async (...given) => (await import('./commands/look.ts')).list(...given),
  status: async (...given) => (await import('./commands/look.ts')).status(...given),
  watch: async (...given) => (await import('./commands/look.ts')).watch(...given),
  cancel: async (...given) => (await import('./commands/steer.ts')).cancel(...given),
  retry: async (...given) => (await import('./commands/steer.ts')).retry(...given),
  logs: async (...given) => (await import('./commands/logs.ts')).logs(...given),
  prune: async (...given) => (await import('./commands/prune.ts')).prune(...given),
  keygen: async (...given) => (await import('./commands/keygen.ts')).keygen(...given),
  verify: async (...given) => (await import('./commands/verify.ts')).verify(...given),
  deviceConfig: async (...given) => (await import('./commands/device-config.ts')).deviceConfig(...given),
  provision: async (...given) => (await import('./commands/provision.ts')).provision(...given),
  doctor: async (...given) => (await import('./commands/doctor.ts')).doctor(...given),
  up: async (...given) => (await import('./commands/up.ts')).up(...given),
  worker: async (...given) => (await import('./commands/worker.ts')).worker(...given),
};
