/** What each verb of the command does. Every verb's code is loaded when it is called: `--help` needs none of it. */
import type { DecideOptions } from './commands/decide.ts';
import type { DeviceConfigOptions } from './commands/device-config.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { DrainOptions } from './commands/drain.ts';
import type { KeygenOptions } from './commands/keygen.ts';
import type { InitFlags } from './commands/init.ts';
import type { LintOptions } from './commands/lint.ts';
import type { ListOptions } from './commands/list.ts';
import type { LogsOptions } from './commands/logs.ts';
import type { PromoteOptions } from './commands/promote.ts';
import type { PruneOptions } from './commands/prune.ts';
import type { ProvisionOptions } from './commands/provision.ts';
import type { RunOptions } from './commands/run.ts';
import type { HistoryOptions, RollbackOptions } from './commands/shared-tag.ts';
import type { ScheduleSetOptions } from './commands/schedule.ts';
import type { RetryOptions } from './commands/steer.ts';
import type { UpOptions } from './commands/up.ts';
import type { WorkerCommandOptions } from './commands/worker.ts';
import type { Output } from './terminal/output.ts';

/** A verb's code: answers the exit code. */
export interface Handlers {
  init(directory: string, flags: InitFlags, output: Output): Promise<number>;
  lint(file: string, options: LintOptions, output: Output): Promise<number>;
  run(file: string, options: RunOptions, output: Output): Promise<number>;
  list(options: ListOptions, output: Output): Promise<number>;
  hosts(output: Output): Promise<number>;
  status(release: string, output: Output): Promise<number>;
  watch(release: string, output: Output): Promise<number>;
  cancel(release: string, output: Output): Promise<number>;
  retry(release: string, options: RetryOptions, output: Output): Promise<number>;
  approve(release: string, options: DecideOptions, output: Output): Promise<number>;
  reject(release: string, options: DecideOptions, output: Output): Promise<number>;
  promote(source: string, options: PromoteOptions, output: Output): Promise<number>;
  rollback(name: string, options: RollbackOptions, output: Output): Promise<number>;
  history(name: string, options: HistoryOptions, output: Output): Promise<number>;
  logs(release: string, options: LogsOptions, output: Output): Promise<number>;
  prune(repository: string, options: PruneOptions, output: Output): Promise<number>;
  keygen(options: KeygenOptions, output: Output): Promise<number>;
  verify(reference: string, options: { key: string }, output: Output): Promise<number>;
  deviceConfig(file: string, options: DeviceConfigOptions, output: Output): Promise<number>;
  provision(mechanism: string, options: ProvisionOptions, output: Output): Promise<number>;
  doctor(options: DoctorOptions, output: Output): Promise<number>;
  scheduleSet(file: string, options: ScheduleSetOptions, output: Output): Promise<number>;
  scheduleList(output: Output): Promise<number>;
  scheduleShow(repository: string, output: Output): Promise<number>;
  schedulePause(repository: string, options: { note: string }, output: Output): Promise<number>;
  scheduleResume(repository: string, output: Output): Promise<number>;
  scheduleTrigger(repository: string, output: Output): Promise<number>;
  scheduleDelete(repository: string, output: Output): Promise<number>;
  up(options: UpOptions, output: Output): Promise<number>;
  worker(options: WorkerCommandOptions, output: Output): Promise<number>;
  drain(options: DrainOptions, output: Output): Promise<number>;
}

/** The real ones. */
export const handlers: Handlers = {
  init: async (...given) => (await import('./commands/init.ts')).init(...given),
  lint: async (...given) => (await import('./commands/lint.ts')).lint(...given),
  run: async (...given) => (await import('./commands/run.ts')).run(...given),
  list: async (...given) => (await import('./commands/list.ts')).list(...given),
  hosts: async (...given) => (await import('./commands/hosts.ts')).hosts(...given),
  status: async (...given) => (await import('./commands/look.ts')).status(...given),
  watch: async (...given) => (await import('./commands/look.ts')).watch(...given),
  cancel: async (...given) => (await import('./commands/steer.ts')).cancel(...given),
  retry: async (...given) => (await import('./commands/steer.ts')).retry(...given),
  approve: async (...given) => (await import('./commands/decide.ts')).approve(...given),
  reject: async (...given) => (await import('./commands/decide.ts')).reject(...given),
  promote: async (...given) => (await import('./commands/promote.ts')).promote(...given),
  rollback: async (...given) => (await import('./commands/shared-tag.ts')).rollback(...given),
  history: async (...given) => (await import('./commands/shared-tag.ts')).history(...given),
  logs: async (...given) => (await import('./commands/logs.ts')).logs(...given),
  prune: async (...given) => (await import('./commands/prune.ts')).prune(...given),
  keygen: async (...given) => (await import('./commands/keygen.ts')).keygen(...given),
  verify: async (...given) => (await import('./commands/verify.ts')).verify(...given),
  deviceConfig: async (...given) => (await import('./commands/device-config.ts')).deviceConfig(...given),
  provision: async (...given) => (await import('./commands/provision.ts')).provision(...given),
  doctor: async (...given) => (await import('./commands/doctor.ts')).doctor(...given),
  scheduleSet: async (...given) => (await import('./commands/schedule.ts')).scheduleSet(...given),
  scheduleList: async (...given) => (await import('./commands/schedule.ts')).scheduleList(...given),
  scheduleShow: async (...given) => (await import('./commands/schedule.ts')).scheduleShow(...given),
  schedulePause: async (...given) => (await import('./commands/schedule.ts')).schedulePause(...given),
  scheduleResume: async (...given) => (await import('./commands/schedule.ts')).scheduleResume(...given),
  scheduleTrigger: async (...given) => (await import('./commands/schedule.ts')).scheduleTrigger(...given),
  scheduleDelete: async (...given) => (await import('./commands/schedule.ts')).scheduleDelete(...given),
  up: async (...given) => (await import('./commands/up.ts')).up(...given),
  worker: async (...given) => (await import('./commands/worker.ts')).worker(...given),
  drain: async (...given) => (await import('./commands/drain.ts')).drain(...given),
};
