/** The `push` activity: pushes the image from this host's storage by digest, without a tag. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { PushInput } from '../../model/contract/build.ts';
import { compressionFlags } from '../../model/spec/build-options.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import { imageSubject, logName } from '../../model/stage/stage.ts';
import { Digest } from '../../model/oci/reference.ts';
import { readNote, writeNote } from '../tools/note.ts';
import type { CommandOptions } from '../tools/process/command.ts';
import type { Task } from '../tools/process/task.ts';
import { existingLog, stageLog, withLog } from '../host/logs/stage-log.ts';
import { builtImage, pushArguments } from '../tools/podman/images.ts';
import { podman } from '../tools/podman/podman.ts';
import { withFreshToken, withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import { intoRegistry } from '../tools/registry/classify.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** The note of what was pushed, in the release's directory. */
const Pushed = z.object({ imageId: z.string(), repository: z.string(), digest: Digest });

async function pushImage(whole: HostContext, input: PushInput, context: Task): Promise<ActivityAnswer<'push'>> {
  const host = hostForPlatform(whole, input.platform);
  const subject = imageSubject(input.platform);
  const log = await stageLog(host, input.release, logName('push', subject));
  context.report({ host: host.name, ...(input.platform && { subject }) });
  const digest = await withLog(log, () =>
    withRegistryAccess(host.configuration, [input.repository], (access) =>
      push(host, input, context, access, log.path),
    ),
  );
  return { host: host.name, log: await existingLog(log), digest };
}

async function push(
  host: HostContext,
  input: PushInput,
  context: Task,
  access: RegistryAccess,
  logFile: string,
): Promise<string> {
  const { imageId, repository } = input;
  const directory = host.work.release(input.release);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const noteFile = join(directory, 'pushed.json');
  const earlier = await readNote(noteFile, Pushed);
  if (earlier?.imageId === imageId && earlier.repository === repository) {
    // Compression may give other bytes the second time, so find what is signed already instead of making it again.
    if ((await access.repository(repository).missingPart(earlier.digest)) === null) return earlier.digest;
  }
  const image = await builtImage(host.name, imageId);
  context.report({ step: 'pushing layers', done: 0, total: image.layers });
  const digestFile = join(access.directory, 'digest');
  const copied = new Set<string>();
  const args = pushArguments(access, { id: imageId, repository, digestFile, flags: compressionFlags(input) });
  const options: CommandOptions = {
    logFile,
    stall: input.timing.stall,
    onLine: (line) => {
      const blob = /^Copying blob (sha256:[0-9a-f]{64})/.exec(line)?.[1];
      if (blob) context.report({ done: copied.add(blob).size - 1 });
      if (/^Copying config|^Writing manifest/.test(line)) context.report({ done: image.layers });
    },
  };
  await withFreshToken(() => podman(`pushing to ${repository}`, args, options)).catch((error: unknown) => {
    throw intoRegistry(error, 'host');
  });
  const digest = Digest.safeParse((await readFile(digestFile, 'utf8')).trim());
  if (!digest.success) throw new FlightlineError('unexpected', `podman push to ${repository} told no digest`);
  await writeNote(noteFile, Pushed, { imageId, repository, digest: digest.data });
  await countPushed(access, repository, digest.data, context);
  return digest.data;
}

/** Bytes of the image in the registry, from its manifest, since podman does not say how much it sent. */
async function countPushed(access: RegistryAccess, repository: string, digest: string, context: Task): Promise<void> {
  // A number for a graph must not fail the push.
  const stored = await access
    .repository(repository)
    .getManifest(digest)
    .catch(() => null);
  const manifest = stored && parseManifest(stored.bytes);
  if (!manifest) return;
  const blobs = [...(manifest.config ? [manifest.config] : []), ...(manifest.layers ?? [])];
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  context.count('flightline_pushed_bytes_total', bytes, { what: 'image' });
}

export default pushImage satisfies HostBody<'push'>;
