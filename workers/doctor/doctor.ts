/**
 * `flightline doctor`: checks by doing whether this machine has what its roles need, and fixes what a drop-in file can
 * fix.
 */
import type { FlightlineError } from '../../model/failure/failure.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { loadWorkerConfiguration } from '../configuration.ts';
import type { DoctorContext, CheckFinding } from './check.ts';
import { checksFor } from './all-checks.ts';
import { examine, findingOf } from './examine.ts';

export type { CheckFinding, FindingStatus } from './check.ts';

interface DoctorOptions {
  /** Default all. */
  roles?: readonly Role[];
  /** Default is read from {@link DoctorOptions.configurationFile}. */
  configuration?: WorkerConfiguration;
  /** Default is {@link DEFAULT_WORKER_CONFIGURATION}, or no file at all. */
  configurationFile?: string;
  /** Writes the drop-in files that fix findings, and checks again. */
  fix?: boolean;
  /** Called for each finding. */
  onFinding?: (finding: CheckFinding) => void;
}

/** Runs the checks of the roles, one after another. Problems are `failed` findings, never errors. */
export async function doctor(options: DoctorOptions = {}): Promise<CheckFinding[]> {
  const roles = options.roles ?? ROLES;
  const findings: CheckFinding[] = [];
  const add = (finding: CheckFinding) => {
    findings.push(finding);
    options.onFinding?.(finding);
  };
  const { configuration, finding } = await configurationFor(options);
  if (finding) add(finding);
  const context: DoctorContext = { roles, configuration, environment: process.env };
  for (const check of checksFor(roles)) add(await examine(check, context, options.fix ?? false));
  return findings;
}

async function configurationFor(
  options: DoctorOptions,
): Promise<{ configuration: WorkerConfiguration; finding?: CheckFinding }> {
  const name = 'worker configuration';
  if (options.configuration) return { configuration: options.configuration };
  try {
    const { configuration, file } = await loadWorkerConfiguration(options.configurationFile);
    const detail = file ? `${file} is valid` : 'there is no file: the defaults hold';
    return { configuration, finding: findingOf(name, { status: 'ok', detail }, false) };
  } catch (error) {
    const { failure } = error as FlightlineError;
    return {
      configuration: WorkerConfiguration.parse({}),
      finding: findingOf(name, { status: 'failed', detail: failure.message, remedy: failure.remedy.action }, false),
    };
  }
}
