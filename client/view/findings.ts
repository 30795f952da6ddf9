/** What `flightline doctor` found, in words. Pure. */
import { plain, style } from './style.ts';

/** A finding, as workers/doctor makes it. */
interface ShownFinding {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  detail: string;
  remedy: string | null;
  fix: { file: string } | null;
  fixed: boolean;
}

/** A finding with its remedy. */
export function renderFinding(finding: ShownFinding, colour: boolean): string[] {
  const paint = style(colour);
  const marks = { ok: paint.green('ok     '), warning: paint.yellow('warning'), failed: paint.red('failed ') };
  const [first = '', ...more] = finding.detail.split('\n').map(plain);
  return [
    `${marks[finding.status]}  ${paint.bold(finding.name)}: ${first}${finding.fixed ? ' (fixed just now)' : ''}`,
    ...more.map((line) => `           ${line}`),
    ...(finding.status !== 'ok' && finding.remedy ? [`         ${finding.remedy}`] : []),
    ...(finding.status !== 'ok' && finding.fix ? [`         \`--fix\` writes ${finding.fix.file}`] : []),
  ];
}

/** The last line: whether the machine will do. */
export function renderVerdict(findings: readonly ShownFinding[], fixed: boolean): string {
  const failed = findings.filter((finding) => finding.status === 'failed');
  const warnings = findings.filter((finding) => finding.status === 'warning').length;
  const fixable = findings.some((finding) => finding.status !== 'ok' && finding.fix !== null);
  const hint = fixable && !fixed ? '; `flightline doctor --fix` fixes what a file of its own can' : '';
  const warned = warnings > 0 ? ` ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}` : '';
  if (failed.length > 0) {
    return `${failed.length} of ${findings.length} checks failed${warned ? `,${warned}` : ''}${hint}`;
  }
  return `this machine has what its roles need${warned ? `, with${warned}` : ''}${hint}`;
}
