/**
 * The `disk-build` activity: one run of the builder, in a container that outlives the worker. Each attempt first looks
 * for a result, or for a container that is running, has ended or is lost.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { builderContainerName, diskInputsDigest } from '../../model/release/inputs.ts';
import { BRANCH_LABEL, INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { entryTag } from '../../model/oci/reference.ts';
import { logName } from '../../model/stage/stage.ts';
import { requireBuilderOptions } from '../../model/spec/disk.ts';
import { isAllowed } from '../../model/spec/worker-configuration.ts';
import { requireSuccess, watchBuilder, type BuilderEnd } from './watch.ts';
import { fetchBuilderConfig } from './fetch-builder-config.ts';
import { diskRun, emptyRun, readResult, removeRun, takeResult, type BuiltFile, type DiskRun } from './run.ts';
import { requireDisksFor } from '../host/claim.ts';
import { withLease } from '../host/leased.ts';
import { entitlementVolumes, requireRegistration } from '../image/red-hat.ts';
import { withOriginName } from '../image/bases/origin-name.ts';
import { pulledImages, pullImages } from './pull-images.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { removeBuilder } from '../tools/builder/remove-builder.ts';
import { builderArguments, decideBuilder, type BuilderCommand } from '../tools/builder/builder.ts';
import { builderDriver } from '../tools/builder/drivers.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import {
  containersWithLabels,
  hasConmon,
  inspectContainer,
  removeContainer,
} from '../tools/podman/container/container.ts';
import type { ContainerState } from '../tools/podman/container/container-state.ts';
import { installerImageName, nameByDigest, repositoryOf } from '../tools/podman/build.ts';
import { podman, podmanInfo } from '../tools/podman/podman.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { allEnded } from '../tools/together.ts';
import { foreignTo, hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** What all steps of an attempt share. */
interface Attempt {
  readonly host: HostContext;
  readonly input: DiskBuildInput;
  readonly context: Task;
  /** Digest of the disk inputs, which gives the container its name. */
  readonly inputs: string;
  readonly name: string;
  /** `repository:tag` of the release, or of its platform. */
  readonly image: string;
  /** `repository:tag` that the builder is given: it writes this name into the disk, as the origin of updates. */
  readonly origin: string;
  /** The local name of what the disk boots from to install the image; null for a disk that boots the image. */
  readonly installer: string | null;
  readonly run: DiskRun;
}

async function buildDisks(
  whole: HostContext,
  input: DiskBuildInput,
  context: Task,
): Promise<ActivityAnswer<'diskBuild'>> {
  const attempt = describe(hostForPlatform(whole, input.platform), input, context);
  const { host } = attempt;
  return withLease(host, input, context, async () => {
    const log = await stageLog(host, input.release, logName('disk-build', input.branch));
    context.report({ host: host.name, container: attempt.name });
    try {
      const files = await withLog(log, () => diskBuild(attempt, log.path));
      return { host: host.name, log: await existingLog(log), inputs: attempt.inputs, files, container: attempt.name };
    } catch (error) {
      // A detach leaves the container running. The next attempt finds it by name.
      if (context.cancelReason() === 'requested') await abandon(attempt, input.timing.stopGrace);
      throw error;
    }
  });
}

function describe(host: HostContext, input: DiskBuildInput, context: Task): Attempt {
  const { repository, tag, digest } = input.image;
  const image = `${repository}:${input.platform ? entryTag(tag, input.platform) : tag}`;
  const origin = `${repository}:${input.updateFrom}`;
  const inputs = diskInputsDigest({
    image: digest,
    origin,
    builder: input.builder.digest,
    installer: input.installer?.digest,
    configuration: input.builderConfig?.digest ?? null,
    rootfs: input.rootfs,
    types: input.types,
    driver: input.driver,
    arguments: input.arguments,
    architecture: input.architecture,
  });
  const installer = input.installer ? installerImageName(host.work.installation, input.release) : null;
  const made = { inputs, name: builderContainerName(input.release, inputs), image, origin, installer };
  return { host, input, context, ...made, run: diskRun(host.work.release(input.release), input.types) };
}

/** Whether this host may make these disks. @throws FlightlineError `architecture` or `builder-not-allowed` */
function requireHost(host: HostContext, input: DiskBuildInput): void {
  const { name, configuration } = host;
  requireDisksFor(host, input.architecture);
  if (!isAllowed(configuration.builders, repositoryOf(input.builder.reference))) {
    throw new FlightlineError('builder-not-allowed', `${name} may not run the builder ${input.builder.reference}`);
  }
  requireBuilderOptions(input, configuration.forbiddenBuilderOptions, name);
}

async function diskBuild(attempt: Attempt, logFile: string): Promise<BuiltFile[]> {
  const { host, input, context, inputs, name, run } = attempt;
  requireHost(host, input);
  const isThere = await removeOtherContainers(attempt);
  const noted = await readResult(run, inputs);
  if (noted) {
    await removeContainer(name);
    return noted;
  }
  const standing = isThere ? await findContainer(attempt) : null;
  const command = standing ? null : await prepare(attempt);
  const { repository, digest } = input.image;
  context.report({ step: `naming the image ${attempt.origin}` });
  const named = { name: attempt.origin, image: `${repository}@${digest}`, isGiven: standing !== null };
  return withOriginName(host.work.release(input.release), named, context.signal, async () =>
    toItsEnd(attempt, standing ?? (await start(attempt, command!)), logFile),
  );
}

/** Watches the builder to its end, and takes what it made. */
async function toItsEnd(attempt: Attempt, container: ContainerState, logFile: string): Promise<BuiltFile[]> {
  const { input, context, inputs, name, run } = attempt;
  const { types } = input;
  const driver = builderDriver(input.driver);
  const log = new CappedLog(logFile, 'w');
  let end: BuilderEnd;
  try {
    context.report({ step: 'running the builder' });
    end = await watchBuilder(container, run, { types, driver }, log, input.timing, context);
  } finally {
    await log.close();
  }
  try {
    requireSuccess(end, log, driver);
    const files = await takeResult(run, inputs, types, driver);
    // Nothing waits for it: one that stays goes with the release.
    void removeContainer(name).catch(() => undefined);
    return files;
  } catch (error) {
    await abandon(attempt, end.kind === 'stalled' ? input.timing.stopGrace : 0);
    throw error;
  }
}

/**
 * After a retry with another spec, the container of the former inputs may still exist and write to the same directory.
 * Returns `true` when the container of these inputs exists.
 */
async function removeOtherContainers({ host, input, name, ...attempt }: Attempt): Promise<boolean> {
  const own = {
    [INSTALLATION_LABEL]: host.work.installation,
    [RELEASE_LABEL]: input.release,
    [BRANCH_LABEL]: input.branch,
  };
  const there = await containersWithLabels(own);
  for (const other of there) {
    if (other !== name) await removeBuilder(other, attempt, input.timing.stopGrace);
  }
  return there.includes(name);
}

/**
 * The container of an earlier attempt, running or ended. Removes one that never ran or is lost.
 */
async function findContainer({ name, ...attempt }: Attempt): Promise<ContainerState | null> {
  const container = await inspectContainer(name);
  const decision = decideBuilder(container, container !== null && (await hasConmon(container)));
  if (decision === 'replace') await removeBuilder(name, attempt);
  return decision === 'attach' || decision === 'collect' ? container : null;
}

/** What a builder is told besides whose it is. */
type Prepared = Omit<BuilderCommand, 'installation' | 'release' | 'branch' | 'inputs'>;

/** Makes ready all that a new builder needs. */
async function prepare(attempt: Attempt): Promise<Prepared> {
  const { host, input, run } = attempt;
  if (input.entitled) await requireRegistration(host.name);
  await emptyRun(run);
  const repositories = [...pulledImages(input), input.context.repository];
  return withRegistryAccess(host.configuration, repositories, (access) => fetchParts(attempt, access));
}

async function start(attempt: Attempt, command: Prepared): Promise<ContainerState> {
  const { host, input, context, inputs, name } = attempt;
  const identity = { installation: host.work.installation, release: input.release, branch: input.branch, inputs };
  try {
    await podman('starting the builder', builderArguments({ ...command, ...identity }));
  } catch (error) {
    const labels = (await inspectContainer(name))?.labels;
    if (labels && labels[INSTALLATION_LABEL] !== host.work.installation) {
      throw new FlightlineError('unexpected', `the container ${name} belongs to another flightline on this machine`);
    }
    // A container that failed to start stays as `created`. One whose start was interrupted by a detach may be running
    // by now; the next attempt attaches to it.
    if (context.cancelReason() === undefined) await abandon(attempt, 0);
    throw error;
  }
  const container = await inspectContainer(name);
  if (!container)
    throw new FlightlineError('container-lost', `the container ${name} was removed as soon as it was started`);
  return container;
}

/** Fetches what the builder needs to this host. */
async function fetchParts(attempt: Attempt, access: RegistryAccess): Promise<Prepared> {
  const { host, input, context, name, image, origin, installer, run } = attempt;
  const { types, rootfs, builder } = input;
  context.report({ step: `pulling ${image} and ${builder.reference}` });
  const [config] = await allEnded([
    fetchBuilderConfig(host, access, input, run),
    pullImages(host, input, access, { image, installer }),
  ]);
  return {
    name,
    builder: nameByDigest(builder),
    image: origin,
    installer,
    types,
    rootfs,
    architecture: foreignTo(host, input.architecture),
    graphRoot: (await podmanInfo()).graphRoot,
    options: input,
    driver: input.driver,
    output: run.output,
    log: run.log,
    config,
    volumes: input.entitled ? await entitlementVolumes() : [],
  };
}

/** Ends the container, and removes its output. */
async function abandon({ name, run, ...attempt }: Attempt, grace: number): Promise<void> {
  await removeBuilder(name, attempt, grace);
  await removeRun(run);
}

export default buildDisks satisfies HostBody<'diskBuild'>;
