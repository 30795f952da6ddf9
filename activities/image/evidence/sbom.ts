/** The `sbom` activity: lists what is in a built image, from its root file system in this host's storage. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SBOM_ARTIFACT_TYPE, SBOMS, type SbomFormat } from '../../../model/oci/sbom.ts';
import { sha256 } from '../../../model/base/digest.ts';
import type { ActivityAnswer } from '../../../model/contract/activities.ts';
import type { SbomInput } from '../../../model/contract/build.ts';
import { filesArtifact } from '../../../model/oci/manifest.ts';
import { Digest } from '../../../model/oci/reference.ts';
import { imageSubject } from '../../../model/stage/stage.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../../host/work-directory.ts';
import { withMountedImage } from '../../tools/podman/image-files.ts';
import { builtImage } from '../../tools/podman/images.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import type { Task } from '../../tools/process/task.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import { sendArtifact } from '../../tools/registry/send-artifact.ts';
import { scanWithSyft } from '../../tools/syft/syft.ts';

/** The note of what was sent, in the release's directory. A second scan would give other bytes. */
const Sent = z.object({ imageId: z.string(), repository: z.string(), formats: z.string(), digest: Digest });

async function listImage(whole: HostContext, input: SbomInput, context: Task): Promise<ActivityAnswer<'sbom'>> {
  const { imageId, repository, platform, timing } = input;
  const host = hostForPlatform(whole, platform);
  const subject = imageSubject(platform);
  context.report({ host: host.name, step: 'listing packages', ...(platform && { subject }) });
  const formats = input.formats.join();
  const directory = host.work.release(input.release);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const note = join(directory, 'sbom.json');
  return withRegistryAccess(host.configuration, [repository], async (access) => {
    const about = { host: host.name, log: null };
    const earlier = await readNote(note, Sent);
    const isSame = earlier?.imageId === imageId && earlier.repository === repository && earlier.formats === formats;
    if (isSame && (await access.repository(repository).missingPart(earlier.digest)) === null) {
      return { ...about, digest: earlier.digest };
    }
    const scratch = join(directory, 'sbom');
    const files = Object.fromEntries(input.formats.map((format) => [format, join(scratch, `${format}.json`)]));
    try {
      await mkdir(scratch, { recursive: true, mode: 0o700 });
      await scan(host, input, files);
      const { layout, blobs } = await artifactOf(files);
      await sendArtifact(access, { repository }, { layout, blobs }, { timeout: timing.transferStartToClose });
      const { digest } = layout.root;
      await writeNote(note, Sent, { imageId, repository, formats, digest });
      return { ...about, digest };
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
}

async function scan(host: HostContext, { imageId, repository, timing }: SbomInput, files: Files): Promise<void> {
  await builtImage(host.name, imageId);
  const { syft } = host.configuration.tools;
  await withMountedImage(imageId, (root) =>
    scanWithSyft(syft, { root, name: repository, version: `sha256:${imageId}`, files }, { stall: timing.stall }),
  );
}

type Files = Readonly<Partial<Record<SbomFormat, string>>>;

async function artifactOf(files: Files) {
  const each = Object.entries(files).map(async ([format, file]) => {
    const bytes = await readFile(file);
    const { mediaType } = SBOMS[format as SbomFormat];
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length, bytes };
  });
  const blobs = await Promise.all(each);
  return { layout: filesArtifact({ artifactType: SBOM_ARTIFACT_TYPE, blobs }), blobs };
}

export default listImage satisfies HostBody<'sbom'>;
