/** The `build` activity: the image of a release in this host's storage, from its context and its bases by digest (DESIGN §3.2). */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BuildInput, type BuildResult } from '../spec/contract.ts';
import { FlightlineError } from '../spec/failure.ts';
import { BOOTC_LABEL, CONTEXT_LAYOUT, INPUTS_LABEL, OCI } from '../spec/labels.ts';
import type { PinnedImage } from '../spec/record.ts';
import { pinContainerfile, readContainerfile } from './containerfile.ts';
import { fetchContext } from './context-archive.ts';
import { lintImage } from './image-lint.ts';
import { withLease } from './leased.ts';
import { stage, type StageContext } from './stage.ts';
import { existingLog, stageLog, withLog } from './stage-log.ts';
import { endBuild, endProcesses } from './tools/build-process.ts';
import { CappedLog } from './tools/capped-log.ts';
import { buildCgroup } from './tools/cgroup.ts';
import { CommandError, runCommand } from './tools/command.ts';
import {
  buildArguments,
  builtImageName,
  imageLabels,
  PINNED_CONTAINERFILE,
  pinnedName,
  repositoryOf,
} from './tools/podman-build.ts';
import { classifyBuild } from './tools/podman-failure.ts';
import { imagesWithLabel, inspectImage, podmanInfo, pullByDigest, type LocalImage } from './tools/podman.ts';
import { withRegistryAccess, type RegistryAccess } from './tools/registry-access.ts';
import { provePushRight } from './tools/registry.ts';
import type { HostContext } from './work-directory.ts';

/** The branch of a release whose lease an image build uses. */
const BRANCH = 'image';
/** Last lines of a build in its failure. */
const MESSAGE_LINES = 25;

/** Makes the activity. */
export function makeBuild(host: HostContext): (input: BuildInput) => Promise<BuildResult> {
  return stage('build', BuildInput, async (input, context) =>
    withLease(host, { ...input, branch: BRANCH }, context, async () => {
      const log = await stageLog(host, input.release, 'build');
      context.report({ host: host.name });
      try {
        const { image, adopted } = await withLog(log, () => build(host, input, context, log.path));
        return { host: host.name, log: await existingLog(log), imageId: image.id, size: image.size, adopted };
      } catch (error) {
        // Nothing can be re-attached to: whatever the reason, the next attempt goes on from podman's cached layers.
        if (context.cancelReason()) await endBuild(host.work.installation, input.release);
        throw error;
      }
    }),
  );
}

async function build(
  host: HostContext,
  input: BuildInput,
  context: StageContext,
  logFile: string,
): Promise<{ image: LocalImage; adopted: boolean }> {
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
    await endBuild(host.work.installation, input.release);
    const name = builtImageName(host.work.installation, input.release, input.imageInputs);
    const found = await findBuilt(input, name);
    const directory = found ? null : await prepare(host, input, context, access);
    const image = bootable(
      directory === null ? found! : await runBuild(host, input, context, { name, directory, logFile }),
    );
    // An adopted one too: whoever built it may have been killed before.
    const { installation } = host.work;
    await lintImage({ installation, release: input.release, imageId: image.id }, logFile, context);
    return { image, adopted: found !== null };
  });
}

/** The image that an earlier attempt made: its labels say of what, and its name here that this installation made it. */
async function findBuilt(input: BuildInput, name: string): Promise<LocalImage | null> {
  const built = (await imagesWithLabel(INPUTS_LABEL, input.imageInputs)).find(
    ({ names, labels }) =>
      names.includes(name) &&
      labels[OCI.version] === input.tag &&
      // The same files may come from another commit by now, and the image would name the former.
      (input.commit === null || labels[OCI.revision] === input.commit) &&
      (input.source === null || labels[OCI.source] === input.source),
  );
  return built ? inspectImage(built.id) : null;
}

/** Fetches the context and the bases. Returns the directory of the former. */
async function prepare(
  host: HostContext,
  input: BuildInput,
  context: StageContext,
  access: RegistryAccess,
): Promise<string> {
  const own = host.work.release(input.release);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const directory = join(own, 'context');
  context.report({ step: 'fetching the context' });
  await fetchContext(access, input.context, directory);
  for (const [index, base] of input.bases.entries()) {
    context.report({ step: `pulling ${base.reference}`, done: index, total: input.bases.length });
    await pullByDigest(access, repositoryOf(base.reference), base.digest, input.timing);
  }
  context.report({ done: undefined, total: undefined });
  return directory;
}

async function runBuild(
  host: HostContext,
  input: BuildInput,
  context: StageContext,
  place: { name: string; directory: string; logFile: string },
): Promise<LocalImage> {
  const idFile = join(host.work.release(input.release), 'image-id');
  const { cgroupManager } = await podmanInfo();
  const cgroup = buildCgroup(cgroupManager, host.work.installation, input.release);
  const { name, directory } = place;
  const args = buildArguments({
    directory,
    name,
    idFile,
    cgroup,
    buildArgs: input.buildArgs,
    labels: imageLabels({ ...input, ...(await pinBases(input, directory)) }),
  });
  const log = new CappedLog(place.logFile, 'a');
  // RUN steps hold podman's output open; unless they end too, podman's end would not be noticed.
  const end = () => void endProcesses(cgroup);
  context.signal.addEventListener('abort', end, { once: true });
  try {
    await runCommand('podman', args, { keepOutput: false, onLine: (line) => follow(line, log, context) });
  } catch (error) {
    if (error instanceof CommandError) throw buildFailure(error, log);
    throw error;
  } finally {
    context.signal.removeEventListener('abort', end);
    await log.close();
  }
  const id = (await readFile(idFile, 'utf8')).trim().replace('sha256:', '');
  const image = await inspectImage(id);
  if (!image) throw new FlightlineError('unexpected', `podman built ${id} and does not know it any more`);
  return image;
}

function follow(line: string, log: CappedLog, context: StageContext): void {
  log.write(line);
  const step = /^(?:\[\d+\/\d+\] )?STEP (\d+)\/(\d+): (.{1,100})/.exec(line);
  context.report({
    line,
    ...(step ? { step: step[3]!, done: Number(step[1]) - 1, total: Number(step[2]) } : {}),
  });
}

function buildFailure(error: CommandError, log: CappedLog): FlightlineError {
  if (error.notFound) return new FlightlineError('host-setup', 'podman is not installed', { cause: error });
  // A signal that no cancellation sent: the kernel ran out of memory, or a person ended it.
  if (error.signal !== null) {
    return new FlightlineError('worker-restarted', `podman build was ended by ${error.signal} from outside`, {
      cause: error,
    });
  }
  const lines = log.tail(MESSAGE_LINES).filter((line) => line.trim() !== '');
  const { kind, remedy } = classifyBuild(log.tail(200).join('\n'));
  return new FlightlineError(kind, `podman build failed:\n${lines.join('\n')}`, {
    remedy,
    cause: error,
  });
}

/**
 * Writes the Containerfile with every external image by its digest, beside the one that was sent. Returns the image that the
 * last stage is built on (null for `scratch`), and the labels that the Containerfile sets.
 */
async function pinBases(
  input: BuildInput,
  directory: string,
): Promise<{ base: PinnedImage | null; own: (name: string) => string | undefined }> {
  const text = await readFile(join(directory, CONTEXT_LAYOUT.containerfile), 'utf8');
  const facts = readContainerfile(text, input.buildArgs, input.architecture);
  const pinned = pinContainerfile(text, facts.uses, (image) => {
    const base = input.bases.find(({ reference }) => reference === image);
    if (!base)
      throw new FlightlineError('containerfile-invalid', `the Containerfile names ${image}, which resolve did not see`);
    return pinnedName(base);
  });
  await writeFile(join(directory, PINNED_CONTAINERFILE), pinned, { mode: 0o600 });
  return {
    base: input.bases.find((image) => image.reference === facts.base) ?? null,
    own: (name) => facts.label(name),
  };
}

/** The image, when a device could boot it. */
function bootable(image: LocalImage): LocalImage {
  if (image.labels[BOOTC_LABEL] === undefined) {
    throw new FlightlineError('not-bootc', `the built image has no label ${BOOTC_LABEL}`);
  }
  return image;
}
