/**
 * `flightline doctor`: checks by doing whether this machine has what its roles need, and fixes what a drop-in file can
 * fix.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FlightlineError } from '../../model/failure/failure.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { loadWorkerConfiguration } from '../configuration.ts';
import { bootTestChecks } from './checks/boot-test.ts';
import { failedBy, type Check, type CheckResult, type DoctorContext, type CheckFinding, type Fix } from './check.ts';
import { containerChecks } from './checks/containers.ts';
import { hostChecks } from './checks/host.ts';
import { keyChecks } from './checks/keys.ts';
import { redHatChecks } from './checks/red-hat.ts';
import { registryChecks } from './checks/registries.ts';
import { secretChecks } from './checks/secrets.ts';
import { webhookChecks } from './checks/webhooks.ts';
import { spaceChecks } from './checks/space.ts';
import { temporalChecks } from './checks/temporal.ts';
import { versionChecks } from './checks/versions.ts';

export type { CheckFinding, FindingStatus } from './check.ts';

/** Every check, in the order in which people would fix what they find. */
export const CHECKS: readonly Check[] = [
  ...versionChecks,
  ...hostChecks,
  ...containerChecks,
  ...bootTestChecks,
  ...spaceChecks,
  ...registryChecks,
  ...redHatChecks,
  ...secretChecks,
  ...webhookChecks,
  ...keyChecks,
  ...temporalChecks,
];

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

/** The checks that some of the roles need. */
export function checksFor(roles: readonly Role[], checks: readonly Check[] = CHECKS): Check[] {
  return checks.filter((check) => check.roles.some((role) => roles.includes(role)));
}

/** Runs a check; with `fix`, writes its drop-in file and runs it once more. */
export async function examine(
  check: Check,
  context: DoctorContext,
  fix: boolean,
  write: (fix: Fix) => Promise<void> = writeDropIn,
): Promise<CheckFinding> {
  const first = await attempt(check, context);
  if (!fix || !first.fix || first.status === 'ok') return findingOf(check.name, first, false);
  try {
    await write(first.fix);
  } catch (error) {
    const remedy = `write ${first.fix.file} as root`;
    return findingOf(check.name, { ...first, ...failedBy(error, remedy) }, false);
  }
  const second = await attempt(check, context);
  return findingOf(check.name, second, second.status === 'ok');
}

async function attempt(check: Check, context: DoctorContext): Promise<CheckResult> {
  try {
    return await check.run(context);
  } catch (error) {
    return failedBy(error, 'fix what the message names');
  }
}

function findingOf(name: string, result: CheckResult, fixed: boolean): CheckFinding {
  return {
    name,
    status: result.status,
    detail: result.detail,
    remedy: result.remedy ?? null,
    fix: result.fix ?? null,
    fixed,
  };
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

/** Writes a file of flightline's own, readable by all like the files beside it. */
async function writeDropIn({ file, content }: Fix): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { mode: 0o644 });
}
