/**
 * The `publish` activity: pushes a disk as an artifact or a container disk, or not at all. It pushes by digest, without
 * a tag. It knows the digest before the push, and adopts what the registry has.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { PublishInput, PublishResult } from '../../model/contract/disk.ts';
import type { LogLocation } from '../../model/failure/failure.ts';
import { diskSubject, logName } from '../../model/stage/stage.ts';
import { keepFile } from './keep-file.ts';
import { confirmLease, keepLease } from '../host/leases.ts';
import { preparePublication, publicationFiles, publicationLayout, type Publication } from './publication.ts';
import type { Task } from '../tools/process/task.ts';
import { stageLog, withLog } from '../host/logs/stage-log.ts';
import { writeLayout } from '../tools/registry/oci-layout.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { copyImage } from '../tools/registry/skopeo.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

async function publishDisk(whole: HostContext, input: PublishInput, context: Task): Promise<ActivityAnswer<'publish'>> {
  const { disk, platform } = input;
  const host = hostForPlatform(whole, platform);
  const log = await stageLog(host, input.release, logName('publish', diskSubject(disk.type, platform)));
  context.report({ host: host.name });
  // The build has returned the slot; the lease still holds the space.
  await confirmLease(host, input.release, input.branch);
  const stop = keepLease(host, input.release, input.branch, input.timing);
  try {
    return await withLog(log, () => publish(host, input, log, context));
  } finally {
    await stop();
  }
}

async function publish(
  host: HostContext,
  input: PublishInput,
  log: LogLocation,
  context: Task,
): Promise<Omit<PublishResult, 'attempts'>> {
  const directory = host.work.release(input.release);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const publication = await preparePublication(input, directory);
  const { path, size, sha256 } = publication.file;
  await note(log, `${path}: ${size} bytes, sha256 ${sha256}`);
  const digest = await push(host, input, publication, log, context);
  const { disk, platform, keepFiles } = input;
  const whose = { type: disk.type, platform };
  const kept = keepFiles === null ? null : await keepFile(keepFiles, whose, publication.file);
  return { host: host.name, log, digest, file: { size, sha256, host: host.name, path: kept } };
}

/** Pushes what the registry does not have. Returns the digest; null when nothing is published. */
async function push(
  host: HostContext,
  input: PublishInput,
  publication: Publication,
  log: LogLocation,
  context: Task,
): Promise<string | null> {
  const parts = publicationLayout(publication, input);
  if (!parts) return null;
  const { digest } = parts.layout.root;
  const { repository } = input.disk;
  await withRegistryAccess(host.configuration, [repository], async (access) => {
    context.report({ step: 'asking the registry' });
    if ((await access.repository(repository).missingPart(digest)) === null) {
      await note(log, `${repository}@${digest} is in the registry already`);
      return;
    }
    const directory = join(publicationFiles(host.work.release(input.release), input), 'layout');
    await writeLayout(directory, parts.layout, [parts.blob]);
    context.report({ step: `pushing ${publication.file.size} bytes`, total: publication.file.size });
    await copyImage(
      access,
      { source: `oci:${directory}`, destination: `docker://${repository}@${digest}` },
      { timeout: input.timing.transferStartToClose, stall: input.timing.stall, logFile: log.path },
    );
    const { size } = publication.layer ?? publication.file;
    context.count('flightline_pushed_bytes_total', size, { what: 'disk' });
    await note(log, `pushed ${repository}@${digest}`);
  });
  return digest;
}

async function note(log: LogLocation, line: string): Promise<void> {
  await appendFile(log.path, `${line}\n`, { mode: 0o600 });
}

export default publishDisk satisfies HostBody<'publish'>;
