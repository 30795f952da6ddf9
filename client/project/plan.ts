/** What `flightline run --dry-run` found, in words. Pure. */
import type { RecordedGate } from '../../model/gate/gate.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import type { Role } from '../../model/contract/queue.ts';
import type { Stage } from '../../model/stage/stage.ts';
import { formatTable } from '../view/table.ts';
import { plain, style, type Style } from '../view/style.ts';
import { needsEntitlement, RED_HAT_REGISTRY } from '../../model/oci/red-hat.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';

/** A check of something that a release would need. */
export interface PlanCheck {
  /** `context`, `signing`, `build host`, `builder manifest qcow2+vmdk`, … */
  name: string;
  status: 'ok' | 'warning' | 'failed' | 'not-run';
  detail: string;
  /** What to do; null when all is well. */
  remedy: string | null;
}

/** A stage to come. */
interface PlannedStage {
  name: Stage;
  /** `image`, `release`, a disk type, or the types of a builder run. */
  subject: string;
  /** Which kind of worker does it. */
  worker: Role;
}

/** The document of a dry run, as `--json` prints it. */
export interface DryRun {
  schemaVersion: 1;
  dryRun: true;
  /** Workflow id that the release would have. */
  release: string;
  /** `unchanged`: the same inputs were released before, and nothing would be built. */
  outcome: 'release' | 'unchanged';
  image: {
    reference: string;
    alsoTag: string[];
    /** The tag that machines installed from the disks follow. */
    updateFrom: string;
    tagPolicy: 'create' | 'move';
    existing: string | null;
  };
  disks: { type: string; form: string; reference: string | null }[];
  inputs: {
    image: string;
    base: PinnedImage[];
    builder: PinnedImage | null;
    installer?: PinnedImage;
    gates?: RecordedGate[];
    context: string;
  };
  /** Build hosts that could take it up now. */
  hosts: string[];
  stages: PlannedStage[];
  checks: PlanCheck[];
}

/** The lines of a dry run. */
export function renderDryRun(plan: DryRun, colour: boolean, columns?: number): string[] {
  const paint = style(colour);
  const { image, inputs } = plan;
  const now = image.existing === null ? 'new' : `now ${image.existing}`;
  const facts = [
    ['image', `${image.reference} (${now}; ${image.tagPolicy})`],
    ...(image.alsoTag.length > 0 ? [['also tagged', image.alsoTag.join(', ')]] : []),
    ...(plan.disks.length > 0 ? [['machines follow', image.updateFrom]] : []),
    ...plan.disks.map(({ type, form, reference }) => [type, reference ? `${form} ${reference}` : 'not published']),
    ['context', inputs.context],
    ['inputs', inputs.image],
    ...inputs.base.map(({ reference, digest }) => ['base', `${reference} ${digest}`]),
    ...(inputs.builder ? [['builder', `${inputs.builder.reference} ${inputs.builder.digest}`]] : []),
    ...(inputs.installer ? [['installer', `${inputs.installer.reference} ${inputs.installer.digest}`]] : []),
    ...(inputs.gates ?? []).map(({ name, reference, digest }) => ['gate', `${name}: ${reference} ${digest}`]),
    ['build hosts', plan.hosts.join(', ') || 'none'],
  ];
  const head =
    plan.outcome === 'unchanged'
      ? 'nothing would be built: the same inputs were released before'
      : 'what a release would do; nothing was built, sent or kept';
  return [
    `${paint.bold(image.reference)}  ${head}`,
    ...formatTable(
      facts.map(([name = '', text = '']) => [paint.dim(name), plain(text)]),
      '  ',
      columns,
    ),
    '',
    ...plan.checks.flatMap((check) => renderCheck(check, paint)),
    ...(plan.stages.length > 0 ? ['', 'stages:'] : []),
    ...formatTable(
      plan.stages.map(({ name, subject, worker }) => [name, subject, paint.dim(`${worker} worker`)]),
      '  ',
      columns,
    ),
  ];
}

function renderCheck(check: PlanCheck, paint: Style): string[] {
  const marks = {
    ok: paint.green('ok     '),
    warning: paint.yellow('warning'),
    failed: paint.red('failed '),
    'not-run': paint.dim('not run'),
  };
  const [first = '', ...more] = check.detail.split('\n').map(plain);
  return [
    `${marks[check.status]}  ${paint.bold(check.name)}: ${first}`,
    ...more.map((line) => `           ${line}`),
    ...(check.remedy ? [`         ${check.remedy}`] : []),
  ];
}

/** What a release needs of its build host, and only that host can see. */
export function unseenOnHosts(
  { enrollment, secrets = [], pullSecret }: ReleaseRequest,
  bases: readonly PinnedImage[],
): PlanCheck[] {
  const given = enrollment?.binding === 'early' && 'config' in enrollment ? [enrollment.config] : [];
  const names = [...secrets.map(({ from }) => from), ...(pullSecret === undefined ? [] : [pullSecret]), ...given];
  const needs = [
    ...(names.length > 0 ? [`the secrets ${[...new Set(names)].join(', ')}`] : []),
    ...(enrollment?.binding === 'early' && given.length === 0 ? ['a login to Flight Control'] : []),
    ...(needsEntitlement(bases) ? [`a login to ${RED_HAT_REGISTRY}, and a registration`] : []),
  ];
  if (needs.length === 0) return [];
  const detail = `whether the build host has ${needs.join(', ')} is seen there, before anything is built`;
  return [
    { name: 'on the build host', status: 'not-run', detail, remedy: 'run `flightline doctor --role build` there' },
  ];
}
