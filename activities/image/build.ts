/** The `build` activity: builds a release's image in this host's storage, from its context and its bases by digest. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput, BuildResult } from '../../model/contract/build.ts';
import type { DeviceTrust } from '../../model/device/signature-policy.ts';
import { annotationFlags } from '../../model/spec/build-options.ts';
import { isPrivate } from '../../model/spec/enrollment.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { BOOTC_LABEL, CONTEXT_LAYOUT, INSTALLATION_LABEL, OCI, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { imageSubject, logName } from '../../model/stage/stage.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { trustedInputs, writeTrustLayer } from './bake-trust.ts';
import { buildContainerfile, platformOf, type ContainerfileBuild } from './build-containerfile.ts';
import { podmanBuild, type BuildRun } from './build-run.ts';
import { noteBuilt } from './built-note.ts';
import {
  checkBinding,
  enrolledImage,
  forgetSecrets,
  openHostParts,
  secretFiles,
  type HostParts,
  volumesFor,
  withPrivateParts,
  type EnrolledFacts,
} from './secrets/build-secrets.ts';
import { fetchContext } from '../context/context-artifact.ts';
import { findBuilt } from './find-built.ts';
import { refusedConfiguration } from './refused-configuration.ts';
import { lintImage, lookAtImage } from './image-lint.ts';
import { NOT_BETWEEN_STEPS } from './secrets/private-layers.ts';
import { withLease } from '../host/leased.ts';
import { withBuilderPulled, type PullBuilder } from './bases/pull-ahead.ts';
import { pullBases } from './bases/bases.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { requireEmulation } from '../tools/podman/container/try-container.ts';
import { endBuild, type BuildPlace } from '../tools/podman/build-process.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import { builtImageName, privateImageName } from '../tools/podman/build.ts';
import type { LocalImage } from '../tools/podman/images.ts';
import { allEnded, together } from '../tools/together.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { foreignTo, hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** An image, and what its release must know about it. */
type Built = { image: LocalImage; bases: PinnedImage[] } & EnrolledFacts;

/** What the steps of an attempt share. */
interface Attempt extends ContainerfileBuild {
  readonly access: RegistryAccess;
  /** Nothing here waits for it. */
  readonly pullBuilder: PullBuilder;
}

async function buildImage(whole: HostContext, input: BuildInput, context: Task): Promise<ActivityAnswer<'build'>> {
  const branch = imageSubject(input.platform);
  const host = hostForPlatform(whole, input.platform);
  return withLease(host, { ...input, branch }, context, async () => {
    const log = await stageLog(host, input.release, logName('build', branch));
    context.report({ host: host.name, ...(input.platform && { subject: branch }) });
    try {
      const { image, ...built } = await withLog(log, () =>
        withBuilderPulled(host, input, context, (task, pull) => build(host, input, task, log.path, pull)),
      );
      await forgetSecrets(host, input);
      const isEmulated = foreignTo(host, input.architecture) !== null;
      const about = { host: host.name, log: await existingLog(log), ...(isEmulated && { emulated: true as const }) };
      return { ...about, imageId: image.id, size: image.size, ...built };
    } catch (error) {
      // Nothing can be attached to again: the next attempt goes on from podman's cached layers.
      const isRefused = error instanceof FlightlineError && error.failure.kind === 'builder-configuration';
      if (context.cancelReason() || isRefused) await endBuild(placeOf(host, input));
      throw error;
    }
  });
}

/** @throws FlightlineError `architecture` when this host does not build for it, or cannot */
async function requireArchitecture(host: HostContext, architecture: BuildInput['architecture']): Promise<void> {
  if (!host.architectures.includes(architecture)) {
    throw new FlightlineError('architecture', `${host.name} does not build for ${architecture}`);
  }
  if (foreignTo(host, architecture)) await requireEmulation(architecture);
}

function placeOf({ work }: HostContext, { release, platform }: BuildInput): BuildPlace {
  return { installation: work.installation, release, platform, directory: work.release(release) };
}

async function build(
  host: HostContext,
  input: BuildInput,
  context: Task,
  logFile: string,
  pullBuilder: PullBuilder,
): Promise<Built & Pick<BuildResult, 'adopted' | 'warnings'>> {
  await requireArchitecture(host, input.architecture);
  const repositories = [input.context.repository, ...input.pushTo];
  return withRegistryAccess(host.configuration, repositories, async (access) => {
    context.report({ step: 'proving push rights' });
    await allEnded([
      together([...new Set(input.pushTo)], (repository) => access.repository(repository).provePushRight()),
      // The build of an earlier attempt, whose worker is gone, may still run.
      endBuild(placeOf(host, input)),
    ]);
    const parts = await openHostParts(host, input, access);
    // Before any pull: a host that is not registered gets no further.
    await volumesFor(host, input.bases);
    const attempt: Attempt = { host, input, context, access, parts, logFile, pullBuilder };
    const { imageInputs, trust } = input;
    const whole = nameOf(attempt, trust ? trustedInputs(imageInputs, trust) : imageInputs);
    const found = await adopt(attempt, whole);
    // Check an adopted image too: its worker may have been killed before the check.
    if (found) return told(parts, { ...(await checked(attempt, found)), adopted: true });
    const plain = await checked(
      attempt,
      (trust && (await adopt(attempt, nameOf(attempt, imageInputs)))) ?? (await buildContext(attempt)),
    );
    const image = trust ? await addTrust(attempt, plain, trust, whole) : plain.image;
    return told(parts, { ...plain, image, adopted: false });
  });
}

/** Adds warnings about the image, if there are any. */
function told<Result extends { advice: string[] }>(parts: HostParts, { advice, ...result }: Result) {
  const warnings = [...parts.warnings, ...advice];
  return warnings.length > 0 ? { ...result, warnings } : result;
}

/** The local name of an image of such inputs. One that holds a secret is named after the run, and goes with it. */
function nameOf({ host, input }: Attempt, inputs: string): string {
  const { installation } = host.work;
  return isPrivate(input)
    ? privateImageName(installation, input.release, inputs, input.runId)
    : builtImageName(installation, input.release, inputs);
}

/** The image that an earlier attempt made under this name, and what it holds. */
async function adopt(attempt: Attempt, name: string): Promise<Built | null> {
  const { host, input } = attempt;
  const found = await findBuilt(host.work.release(input.release), input, name);
  const enrolled = found && (await enrolledImage(host, input));
  if (!found || !enrolled) return null;
  attempt.pullBuilder();
  return { ...found, ...enrolled };
}

/** Builds the Containerfile of the context. */
async function buildContext(attempt: Attempt): Promise<Built> {
  const { host, input, context, access, parts } = attempt;
  const own = host.work.release(input.release);
  await mkdir(own, { recursive: true, mode: 0o700 });
  context.report({ step: 'fetching the context' });
  const [unpacked, bases] = await allEnded([
    fetchContext(access, input.context, join(own, 'context'), host.configuration),
    pullBases(host, input, context),
  ]);
  const endLook = attempt.pullBuilder((end) => refusedConfiguration(host, input, unpacked, bases, end));
  const name = nameOf(attempt, input.imageInputs);
  const { built, ...facts } = await withPrivateParts(host, input, context, unpacked, async (flags) => {
    const plain = await buildContainerfile(attempt, unpacked, bases, parts.pullSecret ? null : name, flags);
    if (!parts.pullSecret) return plain;
    const { secret, layer } = parts.pullSecret;
    const directory = join(own, 'pull-secret');
    await mkdir(join(directory, CONTEXT_LAYOUT.context), { recursive: true, mode: 0o700 });
    await writeFile(join(directory, CONTEXT_LAYOUT.containerfile), `FROM ${plain.image.id}\n${layer}\n`);
    const more = { secrets: [secret], flags: [NOT_BETWEEN_STEPS] };
    return { ...plain, image: await addLayer(attempt, plain.image, directory, name, more) };
  });
  // The disk build is about to ask the same; to end a builder takes a while.
  endLook();
  await noteBuilt(own, built.image.id, built.bases);
  return { image: built.image, bases: built.bases, ...facts };
}

/** Adds the layer of `verification: bake` to the image. */
async function addTrust(
  attempt: Attempt,
  { image, bases }: Built,
  trust: DeviceTrust,
  name: string,
): Promise<LocalImage> {
  const { host, input, context, logFile } = attempt;
  const directory = join(host.work.release(input.release), 'trust');
  const own = { [INSTALLATION_LABEL]: host.work.installation, [RELEASE_LABEL]: input.release };
  context.report({ step: 'adding the verification of signatures' });
  const notes = await writeTrustLayer(image.id, trust, directory, own);
  const log = new CappedLog(logFile, 'a');
  for (const note of notes) log.write(note);
  await log.close();
  const whole = await addLayer(attempt, image, directory, name, { secrets: [], flags: [] });
  await noteBuilt(host.work.release(input.release), whole.id, bases);
  return whole;
}

/** Builds flightline's own Containerfile on an image, which keeps its own word for its base. */
async function addLayer(
  { host, input, context, logFile }: Attempt,
  { labels }: LocalImage,
  directory: string,
  name: string,
  more: Pick<BuildRun, 'secrets' | 'flags'>,
): Promise<LocalImage> {
  const annotations = [OCI.baseName, OCI.baseDigest].flatMap((label) =>
    labels[label] === undefined ? [] : [`--annotation=${label}=${labels[label]}`],
  );
  const end = await podmanBuild(host, input, context, logFile, {
    context: join(directory, CONTEXT_LAYOUT.context),
    containerfile: join(directory, CONTEXT_LAYOUT.containerfile),
    name,
    platform: platformOf(host, input),
    buildArgs: {},
    labels: {},
    volumes: [],
    cache: null,
    secrets: more.secrets,
    // An image does not inherit annotations.
    flags: [...more.flags, ...annotationFlags(input), ...annotations],
  });
  if ('missing' in end) throw end.failure;
  return end.image;
}

/** The image, once it is bootable and bound as the spec says, and its own bootc accepts it. */
async function checked(
  { host, input, context, logFile }: Attempt,
  built: Built,
): Promise<Built & { advice: string[] }> {
  const { image } = built;
  if (image.labels[BOOTC_LABEL] === undefined) {
    throw new FlightlineError('not-bootc', `the built image has no label ${BOOTC_LABEL}`);
  }
  if (image.architecture !== input.architecture) {
    const what = `the Containerfile made an image for ${image.architecture}, not ${input.architecture}`;
    throw new FlightlineError('containerfile', `${what}: see --platform in its FROM`);
  }
  await checkBinding(image.id, input);
  const [, advice] = await allEnded([
    lintImage({ ...placeOf(host, input), imageId: image.id }, logFile, context),
    lookAtImage(image, input.bases, secretFiles(input)),
  ]);
  return { ...built, advice };
}

export default buildImage satisfies HostBody<'build'>;
