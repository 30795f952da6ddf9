/** `flightline doctor`: what this machine lacks for its roles, each with what to do about it. */
import { doctor as examine, type Finding } from '../../workers/doctor/doctor.ts';
import { ROLES } from '../../model/contract/queue.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { renderFinding, renderVerdict } from '../view/findings.ts';

/** Options of `flightline doctor`. */
export interface DoctorOptions {
  /** Names of roles, checked by the command line; default all. */
  role?: string[] | undefined;
  /** The worker configuration's file. */
  config?: string | undefined;
  /** Writes the drop-in files that mend findings. */
  fix?: boolean | undefined;
}

/** Checks this machine. Exit code 1 when something does not work; a warning alone is no failure. */
export async function doctor(options: DoctorOptions, output: Output): Promise<number> {
  const { role, config, fix } = options;
  const findings: Finding[] = await examine({
    ...(role === undefined ? {} : { roles: ROLES.filter((known) => role.includes(known)) }),
    ...(config === undefined ? {} : { configurationFile: config }),
    fix: fix === true,
    onFinding: (finding) => output.result(renderFinding(finding, output.colour.result).join('\n')),
  });
  const failed = findings.some((finding) => finding.status === 'failed');
  output.result(`\n${renderVerdict(findings, fix === true)}`);
  output.document({ ok: !failed, findings });
  return failed ? EXIT.failed : EXIT.ok;
}
