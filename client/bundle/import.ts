/** Imports a verified bundle: everything by digest, verified there under a device's policy, and then the tags. */
import type { RegistryAccess } from '../../activities/tools/registry/access.ts';
import { copyImage, writeDevicePolicy } from '../../activities/tools/registry/skopeo.ts';
import { verifyTag } from '../../activities/trust/verify.ts';
import { Repository } from '../../model/oci/reference.ts';
import { importedRepository, type BundleSubject } from '../../model/bundle/bundle.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Bundle } from './bundle.ts';
import { Sending } from './send.ts';
import type { VerifiedBundle } from './verified.ts';

/** Milliseconds for skopeo to verify a digest or tag: only manifests travel. */
const VERIFY_TIMEOUT = 4 * 60_000;

/** A subject, where it goes. */
interface Placed extends BundleSubject {
  signedAs: string;
}

/** What is imported, and where to. */
interface Import {
  bundle: Bundle;
  contents: VerifiedBundle;
  target: string;
  publicKeyFile: string;
  /** Tags may move that point at something else. */
  replace: boolean;
}

/**
 * Imports it, and goes on where an earlier attempt stopped: what is there is not sent again. Tags move when everything
 * is there and verified: of entries and disks, then the image's, then the record's.
 *
 * @returns the tags, in that order
 * @throws UserError before anything is written when a name has no place there, or a tag is taken; a registry's failure
 */
export async function importBundle(
  access: RegistryAccess,
  { bundle, contents, target, publicKeyFile, replace }: Import,
  progress: (what: string) => void,
): Promise<Placed[]> {
  const place = (repository: string) => placeOf(repository, contents.image.repository, target);
  const placed = (one: BundleSubject): Placed => ({
    ...one,
    repository: place(one.repository),
    signedAs: one.repository,
  });
  const subjects = contents.subjects.map(placed);
  const tags = [...contents.entryTags.map(placed), ...subjects];
  const places = new Set(tags.map(({ repository }) => repository));
  for (const { repository } of [...contents.attached, ...contents.referrers]) places.add(place(repository));
  if (!replace) await requireFree(access, tags);
  for (const repository of places) await access.repository(repository).provePushRight();

  const sending = new Sending(access, bundle, progress);
  for (const { repository, digest } of tags) await sending.send(repository, digest);
  for (const { repository, subject, root } of contents.referrers) {
    await sending.refer(place(repository), subject, root.digest);
  }
  for (const { repository, tag, root } of contents.attached) {
    await sending.attach(place(repository), tag, root.digest);
  }
  progress('verifying as a device would');
  for (const { repository, digest, signedAs } of subjects) {
    const policy = await writeDevicePolicy(access, repository, publicKeyFile, signedAs);
    const name = `docker://${repository}@${digest}`;
    await copyImage(access, { source: name, destination: name, policy }, { timeout: VERIFY_TIMEOUT });
  }
  for (const { repository, tag, digest } of tags) {
    const { bytes, mediaType } = bundle.manifest(digest);
    await access.repository(repository).putManifest(tag, { mediaType, bytes });
  }
  for (const one of subjects) await verifyTag(access, { publicKeyFile }, one, VERIFY_TIMEOUT);
  return subjects;
}

function placeOf(repository: string, image: string, target: string): string {
  const place = importedRepository(repository, image, target);
  if (place !== undefined && Repository.safeParse(place).success) return place;
  throw new UserError(
    'usage',
    place === undefined
      ? `${repository} is not named after ${image}: it has no place beside ${target}`
      : `${place} is not the name of a repository`,
    place === undefined
      ? 'release with `repositories` whose names begin with {{repository}}, and bundle that'
      : 'name a shorter repository with --to',
  );
}

/** @throws UserError `tag-exists` when a tag points at something else */
async function requireFree(access: RegistryAccess, tags: readonly BundleSubject[]): Promise<void> {
  for (const { repository, tag, digest } of tags) {
    const there = await access.repository(repository).headManifest(tag);
    if (there === null || there === digest) continue;
    throw new UserError(
      'tag-exists',
      `${repository}:${tag} points at ${there}, and the bundle has ${digest}`,
      'let it move with --replace, or import to another repository',
      EXIT.failed,
    );
  }
}
