/** Pulls what a builder run needs to its host: the image, the builder, and the image that installs. */
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { platformDigest, type PinnedImage } from '../../model/release/record.ts';
import { pullForRelease } from '../image/bases/pulled-images.ts';
import type { HostContext } from '../host/work-directory.ts';
import { repositoryOf } from '../tools/podman/build.ts';
import { ensurePulled, tagImage } from '../tools/podman/images.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { allEnded } from '../tools/together.ts';

/** Repositories that {@link pullImages} reads. */
export function pulledImages({ image, builder, installer }: DiskBuildInput): string[] {
  return [image.repository, ...[builder, installer].flatMap((one) => (one ? [repositoryOf(one.reference)] : []))];
}

/** Pulls them by digest, and names the image, by which clean-up finds it, and the installer, for the builder. */
export async function pullImages(
  host: HostContext,
  input: DiskBuildInput,
  access: RegistryAccess,
  names: { image: string; installer: string | null },
): Promise<void> {
  const pull = (pinned: PinnedImage) => {
    const image = { repository: repositoryOf(pinned.reference), digest: platformDigest(pinned) };
    return pullForRelease(host.work, input.release, access, image, input.timing);
  };
  const { builder, installer } = input;
  await allEnded([
    pullImage(input, access).then((id) => tagImage(id, names.image)),
    pull(builder),
    ...(installer && names.installer !== null
      ? [pull(installer).then(({ id }) => tagImage(id, names.installer!))]
      : []),
  ]);
}

async function pullImage({ image, timing }: DiskBuildInput, access: RegistryAccess): Promise<string> {
  const { repository, digest } = image;
  try {
    return await ensurePulled(access, repository, digest, timing);
  } catch (error) {
    if (!(error instanceof FlightlineError) || error.failure.kind !== 'image-not-found') throw error;
    // The release pushed it, so this is not a mistyped name.
    throw new FlightlineError('disk-vanished', `the registry no longer has ${repository}@${digest}`, { cause: error });
  }
}
