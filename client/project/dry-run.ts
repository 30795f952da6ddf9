/** `flightline run --dry-run`: everything that can be known before a release, with nothing sent, built or left. */
import { packContext } from '../../activities/context/pack.ts';
import { summariseContext } from '../../activities/context/summary.ts';
import { nameByDigest } from '../../activities/tools/podman/build.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { exposedKeys } from './context.ts';
import { PlanWorkflowResult, type ContextSummary } from '../../model/contract/dry-run.ts';
import { architectureOf } from '../../model/base/host.ts';
import { FlightlineError, type Failure } from '../../model/failure/failure.ts';
import { claimQueue, hostOfIdentity } from '../../model/contract/queue.ts';
import { roleOf } from '../../model/contract/activities.ts';
import { isLoopbackRegistry, registryOf, releaseId } from '../../model/oci/reference.ts';
import { DISK_TYPES } from '../../model/spec/disk.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { releaseStages, requestedRuns } from '../../model/release/stage-table.ts';
import type { Temporal } from '../temporal/temporal.ts';
import { askControl, awaitControlWorker, pollers } from '../temporal/control.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { checkWithBuilder } from './builder-manifest.ts';
import type { CheckedSpec } from './checked-spec.ts';
import { Interrupted, interruptible } from '../terminal/pause.ts';
import { renderDryRun, unseenOnHosts, type DryRun, type PlanCheck } from './plan.ts';
import type { RepositoryClient } from '../../activities/tools/registry/repository.ts';

/** Facts about a context that is not sent. Nothing is known about a git context. */
interface LocalContext {
  summary: ContextSummary | null;
  checks: PlanCheck[];
}

/** The remedy where the builder's words do not tell a better one. */
const FIX = 'fix builder.config or the disk types';

const passed = (name: string, detail: string): PlanCheck => ({ name, status: 'ok', detail, remedy: null });

/** Looks, prints the plan, and answers the exit code: 1 when a check failed. */
export async function dryRun(
  temporal: Temporal,
  checked: CheckedSpec,
  options: { publicContext?: boolean | undefined },
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  await awaitControlWorker(temporal, signal);
  const plan = await lookAhead(temporal, checked, options.publicContext === true, signal);
  output.result(renderDryRun(plan, output.colour.result, output.columns).join('\n'));
  output.document(plan);
  return plan.checks.some(({ status }) => status === 'failed') ? EXIT.failed : EXIT.ok;
}

async function lookAhead(
  temporal: Temporal,
  checked: CheckedSpec,
  publicContext: boolean,
  signal: AbortSignal,
): Promise<DryRun> {
  const { draft: request, warnings } = checked;
  const context = await interruptible(lookAtContext(checked, publicContext), signal);
  const { resolved, signing } = await interruptible(askForPlan(temporal, checked, context.summary), signal);
  const { platforms = [request.architecture] } = request;
  const hosts = await Promise.all(platforms.map((platform) => buildHosts(temporal, platform)));
  const unchanged = resolved.unchanged !== null;
  const checks = [
    ...warnings.map((detail): PlanCheck => ({ name: 'spec', status: 'warning', detail, remedy: null })),
    ...context.checks,
    imagesCheck(resolved.notFound),
    signingCheck(signing, request.key),
    ...platforms.map((platform, index) => hostCheck(hosts[index]!, platform)),
    ...(unchanged
      ? []
      : [...unseenOnHosts(request, resolved.bases), ...(await builderChecks(checked, resolved, signal))]),
  ];
  const { repository, tag, alsoTag, updateFrom, tagPolicy } = request;
  return {
    schemaVersion: 1,
    dryRun: true,
    release: releaseId(repository, tag),
    outcome: unchanged ? 'unchanged' : 'release',
    image: { reference: `${repository}:${tag}`, alsoTag, updateFrom, tagPolicy, existing: resolved.existingTag },
    disks: request.disks.map((disk) => ({
      type: disk.type,
      form: disk.publish,
      reference: disk.publish === 'none' ? null : `${disk.repository}:${tag}`,
    })),
    inputs: {
      image: resolved.imageInputs,
      base: resolved.bases,
      builder: resolved.builder,
      ...(resolved.installer && { installer: resolved.installer }),
      ...(resolved.gates && { gates: resolved.gates }),
      context: resolved.context.digest,
    },
    hosts: [...new Set(hosts.flat())].sort(),
    stages: unchanged
      ? []
      : releaseStages(request).map(({ name, subject }) => ({ name, subject, worker: roleOf(name) })),
    checks,
  };
}

async function lookAtContext({ loaded: { local }, draft }: CheckedSpec, isOpen: boolean): Promise<LocalContext> {
  if (local === null) return { summary: null, checks: [] };
  return withUserAccess(async (access) => {
    const packed = await packContext(local, access.directory);
    const summary = summariseContext(draft, packed.digest, packed.facts);
    const repository = draft.contextRepository;
    const exposure = await access
      .repository(repository)
      .exposure()
      .catch((error: unknown) => {
        if (error instanceof FlightlineError) return error.failure;
        throw error;
      });
    return { summary, checks: [contextCheck(repository, packed, exposure, isOpen)] };
  });
}

function contextCheck(
  repository: string,
  { size, privateKeys }: { size: number; privateKeys: readonly string[] },
  exposure: Awaited<ReturnType<RepositoryClient['exposure']>> | Failure,
  allowed: boolean,
): PlanCheck {
  const name = 'context';
  if (typeof exposure !== 'string') {
    return { name, status: 'failed', detail: exposure.message, remedy: `see that ${registryOf(repository)} answers` };
  }
  const detail = `${size} bytes to send to ${repository}`;
  if (exposure === 'private' || allowed) return passed(name, detail);
  if (privateKeys.length > 0) {
    const [problem, remedy] = exposedKeys(repository, privateKeys, exposure);
    return { name, status: 'failed', detail: problem, remedy };
  }
  if (exposure === 'unknown' || isLoopbackRegistry(registryOf(repository))) return passed(name, detail);
  return {
    name,
    status: 'warning',
    detail: `${detail}, from where anybody can pull it`,
    remedy: 'make that repository private',
  };
}

function imagesCheck(notFound: readonly string[]): PlanCheck {
  if (notFound.length === 0) return passed('images', 'every image that is named is in its registry');
  const detail = `the control worker does not find ${notFound.join(', ')}`;
  return { name: 'images', status: 'failed', detail, remedy: "correct the name, or see to the worker's login" };
}

/** Longest time (ms) for an answer: two tries of its slower activity. */
const PLAN_TIMEOUT = 15 * 60_000;

async function askForPlan(
  temporal: Temporal,
  { draft: request }: CheckedSpec,
  context: ContextSummary | null,
): Promise<PlanWorkflowResult> {
  const reference = `${request.repository}:${request.tag}`;
  const question = { about: 'plan' as const, input: { request, context }, summary: `dry run of ${reference}` };
  try {
    return await askControl(temporal, question, PlanWorkflowResult, PLAN_TIMEOUT);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { kind, message, remedy, exitCode } = error;
    throw new UserError(kind, message, remedy.replaceAll('RELEASE', reference), exitCode);
  }
}

function signingCheck(failure: Failure | null, key: string): PlanCheck {
  if (!failure) return passed('signing', `the key ${key} signs for every repository, and they can be pushed to`);
  return { name: 'signing', status: 'failed', detail: failure.message, remedy: failure.remedy.action };
}

/** The build hosts that poll the queue of an architecture. */
async function buildHosts(temporal: Temporal, architecture: ReleaseRequest['architecture']): Promise<string[]> {
  const found = await pollers(temporal, claimQueue(architecture), 'activities');
  return [...new Set(found.flatMap(({ identity }) => hostOfIdentity(identity) ?? []))].sort();
}

function hostCheck(hosts: readonly string[], architecture: string): PlanCheck {
  if (hosts.length > 0) return passed('build host', `${hosts.join(', ')} for ${architecture}`);
  return {
    name: 'build host',
    status: 'failed',
    detail: `no build host for ${architecture} is there now: a release would wait for one`,
    remedy: 'start a build worker: `flightline worker --role build`',
  };
}

/**
 * The builder's `manifest` command for each of its runs. One that is under way is waited for: it takes its container
 * and name away.
 */
async function builderChecks(
  { loaded, draft: request }: CheckedSpec,
  { builder, installer, builderConfig, ...resolved }: PlanWorkflowResult['resolved'],
  signal: AbortSignal,
): Promise<PlanCheck[]> {
  if (!builder) return [];
  const checks: PlanCheck[] = [];
  const path = loaded.local?.builderConfig ?? null;
  const own = architectureOf(process.arch);
  const architecture = request.platforms?.find((one) => one === own) ?? request.architecture;
  const { imageInputs } = resolved.platforms?.find((one) => one.platform === architecture) ?? resolved;
  // Every platform's builder says the same of a configuration.
  for (const { subject, types } of requestedRuns({ ...request, platforms: undefined })) {
    if (signal.aborted) throw new Interrupted();
    const name = `builder manifest ${subject}`;
    if (builderConfig !== null && path === null) {
      const detail = 'the builder configuration of a git context is not on this machine';
      checks.push({ name, status: 'not-run', detail, remedy: null });
      continue;
    }
    const check = await checkWithBuilder({
      types,
      imageInputs,
      rootfs: request.builder.rootfs,
      architecture: architecture === own ? null : architecture,
      options: request.builder,
      driver: request.builder.driver,
      builder: nameByDigest(builder),
      installer: installer && types.some((type) => DISK_TYPES[type].installer) ? nameByDigest(installer) : null,
      config: builderConfig && path !== null ? { path, format: builderConfig.format } : null,
    });
    switch (check.kind) {
      case 'not-run':
        checks.push({ name, status: 'not-run', detail: check.reason, remedy: null });
        break;
      case 'refused':
        checks.push({ name, status: 'failed', detail: check.said, remedy: check.verdict.remedy ?? FIX });
        break;
      case 'made':
        checks.push(
          check.warnings.length > 0
            ? { name, status: 'warning', detail: check.warnings.join('\n'), remedy: null }
            : passed(name, `${check.stages} stages`),
        );
    }
  }
  if (signal.aborted) throw new Interrupted();
  return checks;
}
