/**
 * The `rechunk` activity: a program that the operator allows rewrites the layers of the built image in this host's
 * storage. Files and configuration stay; the new image is what is pushed, signed and verified.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { RechunkInput } from '../../../model/contract/build.ts';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../../model/oci/labels.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { platformDigest } from '../../../model/release/record.ts';
import { digestOf } from '../../../model/base/digest.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { imageSubject, logName } from '../../../model/stage/stage.ts';
import { existingLog, stageLog, withLog } from '../../host/logs/stage-log.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../../host/work-directory.ts';
import { rechunkerFrom } from '../../resolve/pin.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { builtImageName, isPrivateImage, privateImageName, repositoryOf } from '../../tools/podman/build.ts';
import { builtImage, inspectImage, type LocalImage } from '../../tools/podman/images.ts';
import { podmanInfo } from '../../tools/podman/podman.ts';
import type { Task } from '../../tools/process/task.ts';
import { changedConfiguration, importLayout, inspected, runRechunker } from '../../tools/rechunker/run.ts';
import { withRegistryAccess, type RegistryAccess } from '../../tools/registry/access.ts';
import { writeLayout } from '../../tools/registry/oci-layout.ts';
import { imageFor } from '../../tools/stored-image.ts';
import { pullForRelease } from '../bases/pulled-images.ts';

/** The note of what was made, in the release's directory. */
const Made = z.object({ inputs: z.string(), imageId: z.string() });

async function rechunkImage(
  whole: HostContext,
  input: RechunkInput,
  context: Task,
): Promise<ActivityAnswer<'rechunk'>> {
  const host = hostForPlatform(whole, input.platform);
  const subject = imageSubject(input.platform);
  rechunkerFrom(input.rechunker.reference, host.configuration);
  const log = await stageLog(host, input.release, logName('rechunk', subject));
  context.report({ host: host.name, ...(input.platform && { subject }) });
  const { id, size } = await withLog(log, () => rechunked(host, input, context, log.path));
  return { host: host.name, log: await existingLog(log), imageId: id, size };
}

async function rechunked(host: HostContext, input: RechunkInput, context: Task, logFile: string): Promise<LocalImage> {
  const { imageId, rechunker, tool, maxLayers } = input;
  const own = host.work.release(input.release);
  await mkdir(own, { recursive: true, mode: 0o700 });
  const inputs = digestOf({ imageId, tool, maxLayers, rechunker: platformDigest(rechunker) });
  const noteFile = join(own, 'rechunked.json');
  const noted = await readNote(noteFile, Made);
  const standing = noted?.inputs === inputs ? await inspectImage(noted.imageId) : null;
  if (standing) return standing;
  const built = await builtImage(host.name, imageId);
  const directory = join(own, 'rechunk');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { mode: 0o700 });
  try {
    const made = await run(host, input, { built, directory, inputs, logFile, context });
    await writeNote(noteFile, Made, { inputs, imageId: made.id });
    return made;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What a run needs besides its input. */
interface Run {
  built: LocalImage;
  directory: string;
  inputs: string;
  logFile: string;
  context: Task;
}

async function run(
  { work, configuration }: HostContext,
  input: RechunkInput,
  { built, directory, inputs, logFile, context }: Run,
): Promise<LocalImage> {
  const { release, repository, rechunker, tool, maxLayers, imageId, timing } = input;
  const programs = repositoryOf(rechunker.reference);
  context.report({ step: 'pulling the rechunker' });
  const { program, hasPrevious } = await withRegistryAccess(configuration, [repository, programs], async (access) => ({
    program: await pullForRelease(work, release, access, { repository: programs, digest: rechunker.digest }, timing),
    hasPrevious: await writePrevious(access, input, join(directory, 'previous')),
  }));
  const before = await inspected(imageId);
  await writeFile(join(directory, 'inspect.json'), before);
  context.report({ step: `rewriting ${built.layers} layers` });
  await runRechunker(
    tool,
    {
      rechunker: program.id,
      name: `flightline-rechunk-${inputs.slice(-12)}-${work.installation.slice(0, 8)}`,
      labels: { [INSTALLATION_LABEL]: work.installation, [RELEASE_LABEL]: release },
      imageId,
      architecture: built.architecture,
      maxLayers,
      directory,
      hasPrevious,
      graphRoot: (await podmanInfo()).graphRoot,
    },
    { logFile, onLine: (line) => context.report({ line }) },
  );
  const isPrivate = [...built.tags, ...built.formerNames].some(isPrivateImage);
  const name = isPrivate
    ? privateImageName(work.installation, release, inputs, input.runId)
    : builtImageName(work.installation, release, inputs);
  context.report({ step: 'reading the new layers' });
  await importLayout(join(directory, 'image'), name, logFile);
  const made = await inspectImage(name);
  if (!made) throw new FlightlineError('rechunk', `${rechunker.reference} left no image`);
  const changed = changedConfiguration(before, await inspected(made.id));
  if (changed.length > 0) {
    throw new FlightlineError('rechunk', `${rechunker.reference} has changed the image's ${changed.join(', ')}`);
  }
  context.report({ step: `${made.layers} layers` });
  return made;
}

/** Writes what the tag that devices follow points at now, without its layers. `false` when there is nothing. */
async function writePrevious(
  access: RegistryAccess,
  { repository, follows, architecture }: RechunkInput,
  directory: string,
): Promise<boolean> {
  const images = access.repository(repository);
  const stored = await images.getManifest(follows);
  const previous = stored && (await imageFor(images, stored, architecture));
  const manifest = previous && (await images.getManifest(previous.digest));
  const config = manifest && parseManifest(manifest.bytes)?.config;
  const configuration = config && (await images.getBlob(config.digest, 4 * 1024 * 1024).catch(() => null));
  if (!manifest || !config || !configuration) return false;
  const { mediaType, digest, bytes } = manifest;
  const descriptor = { mediaType, digest, size: bytes.length };
  const layout = { root: descriptor, documents: [{ descriptor, bytes }] };
  await writeLayout(directory, layout, [{ digest: config.digest, bytes: configuration }]);
  return true;
}

export default rechunkImage satisfies HostBody<'rechunk'>;
