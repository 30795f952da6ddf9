/** The `build` activity: the image of a release in this host's storage, from its context and its bases by digest. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput, BuildResult } from '../../model/contract/build.ts';
import type { DeviceTrust } from '../../model/device/signature-policy.ts';
import { isPrivate } from '../../model/spec/enrollment.ts';
import { FlightlineError } from '../../model/release/failure.ts';
import {
  BOOTC_LABEL,
  CONTEXT_LAYOUT,
  INPUTS_LABEL,
  INSTALLATION_LABEL,
  OCI,
  RELEASE_LABEL,
} from '../../model/oci/labels.ts';
import { logName } from '../../model/release/logs.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { trustedInputs, writeTrustLayer } from './bake-trust.ts';
import { podmanBuild } from './build-run.ts';
import {
  checkBinding,
  enrolledImage,
  forgetSecrets,
  openHostParts,
  withPrivateParts,
  type EnrolledFacts,
  type HostParts,
} from './build-secrets.ts';
import { pinContainerfile, readContainerfile } from '../context/containerfile.ts';
import { fetchContext } from '../context/context-artifact.ts';
import type { UnpackedContext } from '../context/unpack.ts';
import { lintImage } from './image-lint.ts';
import { withLastLayers } from '../context/last-layers.ts';
import { withLease } from '../host/leased.ts';
import { withBuilderPulled } from './pull-ahead.ts';
import { pullForRelease } from './pulled-images.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/stage-log.ts';
import { endBuild, type BuildPlace } from '../tools/podman/build-process.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import {
  builtImageName,
  imageLabels,
  PINNED_CONTAINERFILE,
  pinnedName,
  privateImageName,
  repositoryOf,
} from '../tools/podman/build.ts';
import { imagesWithLabel, inspectImage, type LocalImage } from '../tools/podman/podman.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { provePushRight } from '../tools/registry/registry.ts';
import type { HostContext } from '../host/work-directory.ts';

/** The branch of a release whose lease an image build uses. */
const BRANCH = 'image';

/** What is built, and what a release must know of it. */
type Built = { image: LocalImage } & EnrolledFacts;

/** What the steps of an attempt share. */
interface Attempt {
  readonly host: HostContext;
  readonly input: BuildInput;
  readonly context: Task;
  readonly access: RegistryAccess;
  readonly parts: HostParts;
  readonly logFile: string;
  /** Begins to pull the builder, which nothing here waits for. */
  readonly pullBuilder: () => void;
}

export async function buildImage(
  host: HostContext,
  input: BuildInput,
  context: Task,
): Promise<ActivityAnswer<'build'>> {
  return withLease(host, { ...input, branch: BRANCH }, context, async () => {
    const log = await stageLog(host, input.release, logName('build', 'image'));
    context.report({ host: host.name });
    try {
      const { image, ...built } = await withLog(log, () =>
        withBuilderPulled(host, input, context, (pullBuilder) => build(host, input, context, log.path, pullBuilder)),
      );
      await forgetSecrets(host, input);
      return { host: host.name, log: await existingLog(log), imageId: image.id, size: image.size, ...built };
    } catch (error) {
      // Nothing can be re-attached to: whatever the reason, the next attempt goes on from podman's cached layers.
      if (context.cancelReason()) await endBuild(placeOf(host, input));
      throw error;
    }
  });
}

function placeOf({ work }: HostContext, { release }: BuildInput): BuildPlace {
  return { installation: work.installation, release, directory: work.release(release) };
}

async function build(
  host: HostContext,
  input: BuildInput,
  context: Task,
  logFile: string,
  pullBuilder: () => void,
): Promise<Built & Pick<BuildResult, 'adopted' | 'warnings'>> {
  if (input.architecture !== host.architecture) {
    throw new FlightlineError(
      'invalid-input',
      `${host.name} builds for ${host.architecture}, not ${input.architecture}`,
    );
  }
  const repositories = [
    input.context.repository,
    ...input.bases.map((base) => repositoryOf(base.reference)),
    ...input.pushTo,
  ];
  return withRegistryAccess(host.configuration, repositories, async (access) => {
    context.report({ step: 'proving push rights' });
    for (const repository of new Set(input.pushTo)) await provePushRight(access, repository);
    // An earlier attempt, whose worker is gone, may still be at it.
    await endBuild(placeOf(host, input));
    const parts = await openHostParts(host, input, access);
    const warnings = parts.warnings.length > 0 ? { warnings: parts.warnings } : {};
    const attempt: Attempt = { host, input, context, access, parts, logFile, pullBuilder };
    const { imageInputs, trust } = input;
    const whole = nameOf(attempt, trust ? trustedInputs(imageInputs, trust) : imageInputs);
    const found = await adopt(attempt, whole);
    // An adopted one is looked at too: whoever built it may have been killed before.
    if (found) return { ...(await checked(attempt, found)), adopted: true, ...warnings };
    const plain = await checked(
      attempt,
      (trust && (await adopt(attempt, nameOf(attempt, imageInputs)))) ?? (await buildContext(attempt)),
    );
    const image = trust ? await addTrust(attempt, plain.image, trust, whole) : plain.image;
    return { ...plain, image, adopted: false, ...warnings };
  });
}

/** The local name of what is built of such inputs. What holds a secret is named after the run, and goes with it. */
function nameOf({ host, input }: Attempt, inputs: string): string {
  const { installation } = host.work;
  return isPrivate(input)
    ? privateImageName(installation, input.release, inputs, input.runId)
    : builtImageName(installation, input.release, inputs);
}

/** What an earlier attempt made under this name, and what it holds. */
async function adopt({ host, input, pullBuilder }: Attempt, name: string): Promise<Built | null> {
  const image = await findBuilt(input, name);
  const enrolled = image && (await enrolledImage(host, input));
  if (!image || !enrolled) return null;
  pullBuilder();
  return { image, ...enrolled };
}

/** Builds the Containerfile of the context. */
async function buildContext(attempt: Attempt): Promise<Built> {
  const { host, input, context, access, parts, logFile } = attempt;
  const { directory, ...unpacked } = await prepare(host, input, context, access);
  attempt.pullBuilder();
  const { containerfile, ...pinned } = await pinBases(input, directory, unpacked, parts.layers);
  const ignoreFile = ignoreFileOf(unpacked);
  const source = { directory, containerfile, ignoreFile, bases: input.bases.map(pinnedName) };
  const { buildArgs } = input;
  const { secrets, volumes } = parts;
  const name = nameOf(attempt, input.imageInputs);
  const labels = imageLabels({ ...input, ...pinned });
  const { built, ...facts } = await withPrivateParts(host, input, context, source, (given) => {
    const flags = input.fresh === undefined ? given : [...given, '--no-cache'];
    const command = { directory, name, buildArgs, labels, secrets, volumes, flags };
    return podmanBuild(host, input.release, context, logFile, command);
  });
  return { image: built, ...facts };
}

/** Adds the layer of `verification: bake` to what was built. */
async function addTrust(attempt: Attempt, image: LocalImage, trust: DeviceTrust, name: string): Promise<LocalImage> {
  const { host, input, context, logFile } = attempt;
  const directory = join(host.work.release(input.release), 'trust');
  const own = { [INSTALLATION_LABEL]: host.work.installation, [RELEASE_LABEL]: input.release };
  context.report({ step: 'adding the verification of signatures' });
  const notes = await writeTrustLayer(image.id, trust, directory, own);
  const log = new CappedLog(logFile, 'a');
  for (const note of notes) log.write(note);
  await log.close();
  const nothing = { buildArgs: {}, labels: {}, secrets: [], volumes: [], flags: [] };
  return podmanBuild(host, input.release, context, logFile, { ...nothing, directory, name });
}

/** The image that an earlier attempt made: its labels say of what, and its name here that this installation made it. */
async function findBuilt(input: BuildInput, name: string): Promise<LocalImage | null> {
  const built = (await imagesWithLabel(INPUTS_LABEL, input.imageInputs)).find(
    ({ names, labels, created }) =>
      names.includes(name) &&
      (input.fresh === undefined || created * 1000 >= Date.parse(input.fresh)) &&
      labels[OCI.version] === input.tag &&
      // The same files may come from another commit by now, and the image would name the former.
      (input.commit === null || labels[OCI.revision] === input.commit) &&
      (input.source === null || labels[OCI.source] === input.source),
  );
  return built ? inspectImage(built.id) : null;
}

/** Fetches the context and the bases. Returns where the former is. */
async function prepare(
  host: HostContext,
  input: BuildInput,
  context: Task,
  access: RegistryAccess,
): Promise<UnpackedContext & { directory: string }> {
  const own = host.work.release(input.release);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const directory = join(own, 'context');
  context.report({ step: 'fetching the context' });
  const unpacked = await fetchContext(access, input.context, directory, host.configuration);
  for (const [index, base] of input.bases.entries()) {
    context.report({ step: `pulling ${base.reference}`, done: index, total: input.bases.length });
    const image = { repository: repositoryOf(base.reference), digest: base.digest };
    await pullForRelease(host.work, input.release, access, image, input.timing);
  }
  context.report({ done: undefined, total: undefined });
  return { ...unpacked, directory };
}

/** Where the ignore file of a context lies, if it has one. */
const ignoreFileOf = ({ containerfile }: UnpackedContext) => `${containerfile}${CONTEXT_LAYOUT.ignoreSuffix}`;

/**
 * Writes the Containerfile with every external image by its digest and with further layers, beside the one that was
 * sent. Returns it, the image that the last stage is built on (null for `scratch`), and the labels that the
 * Containerfile sets.
 */
async function pinBases(
  input: BuildInput,
  directory: string,
  unpacked: UnpackedContext,
  layers: readonly string[],
): Promise<{ containerfile: string; base: PinnedImage | null; own: (name: string) => string | undefined }> {
  const text = await readFile(unpacked.containerfile, 'utf8');
  const facts = readContainerfile(text, input.buildArgs, input.architecture);
  const pinned = pinContainerfile(text, facts.uses, (image) => {
    const base = input.bases.find(({ reference }) => reference === image);
    if (!base)
      throw new FlightlineError('containerfile-invalid', `the Containerfile names ${image}, which resolve did not see`);
    return pinnedName(base);
  });
  const containerfile = withLastLayers(pinned, layers);
  const written = join(directory, PINNED_CONTAINERFILE);
  await writeFile(written, containerfile, { mode: 0o600 });
  const ignoreFile = ignoreFileOf(unpacked);
  if (existsSync(ignoreFile)) await copyFile(ignoreFile, `${written}${CONTEXT_LAYOUT.ignoreSuffix}`);
  return {
    containerfile,
    base: input.bases.find((image) => image.reference === facts.base) ?? null,
    own: (name) => facts.label(name),
  };
}

/**
 * What was built, when a device could boot it, it is bound as the spec says, and its own bootc has nothing against it.
 */
async function checked({ host, input, context, logFile }: Attempt, built: Built): Promise<Built> {
  const { image } = built;
  if (image.labels[BOOTC_LABEL] === undefined) {
    throw new FlightlineError('not-bootc', `the built image has no label ${BOOTC_LABEL}`);
  }
  await checkBinding(image.id, input);
  await lintImage({ ...placeOf(host, input), imageId: image.id }, logFile, context);
  return built;
}
