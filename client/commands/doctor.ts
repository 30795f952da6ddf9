/** `flightline doctor`: what this machine lacks for its roles, each with what to do about it. */
import { doctor } from '../../workers/doctor/doctor.ts';
import { roleList } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb } from '../verb.ts';
import { renderFinding, renderVerdict } from '../view/findings.ts';

export default verb({
  group: 'machine',
  summary: 'check what this machine needs',
  description: 'Check what this machine needs for its roles, by doing it. Every finding has a remedy.',
  examples: ['flightline doctor', 'flightline doctor --role build --fix'],
  json: { help: 'print JSON', schemas: ['doctor'] },

  syntax: (command) =>
    command
      .option('--role <roles>', 'check for these roles: control, build, sign', roleList)
      .option('--config <file>', 'the worker configuration to check with')
      .option('--fix', 'apply remedies that are a drop-in file of their own'),

  /** Exit code 1 when something does not work. A warning is not a failure. */
  async run(_, { role, config, fix = false }, output) {
    const findings = await doctor({
      roles: role,
      configurationFile: config,
      fix,
      onFinding: (finding) => output.result(renderFinding(finding, output.colour.result).join('\n')),
    });
    const failed = findings.some((finding) => finding.status === 'failed');
    output.result(`\n${renderVerdict(findings, fix)}`);
    output.document({ ok: !failed, findings });
    return failed ? EXIT.failed : EXIT.ok;
  },
});
