/**
 * The bases of a build: pulls those that resolve looked up, and those that podman asks for besides.
 */
import { readContainerfile } from '../../context/containerfile.ts';
import { formatReference, parseReference } from '../../../model/oci/reference.ts';
import { platformDigest, type PinnedImage } from '../../../model/release/record.ts';
import type { BuildInput } from '../../../model/contract/build.ts';
import type { HostContext } from '../../host/work-directory.ts';
import type { Task } from '../../tools/process/task.ts';
import { pullByDigest } from '../../tools/podman/images.ts';
import type { UsedImage } from '../../tools/podman/build-output.ts';
import { nameByDigest, repositoryOf } from '../../tools/podman/build.ts';
import { withRegistryAccess } from '../../tools/registry/access.ts';
import type { LocalBase } from './base-names.ts';
import { findForPlatform } from './find-for-platform.ts';
import { pullForRelease } from './pulled-images.ts';
import { requireRedHatLogin } from '../red-hat.ts';

/** Prefix that podman may write before a name in a registry. */
const TRANSPORT = 'docker://';

type Pulling = Pick<BuildInput, 'release' | 'timing'>;

/** Pulls the bases that resolve looked up. */
export async function pullBases(
  host: HostContext,
  input: Pulling & Pick<BuildInput, 'bases'>,
  context: Pick<Task, 'report'>,
): Promise<LocalBase[]> {
  const pulled: LocalBase[] = [];
  for (const [index, base] of input.bases.entries()) {
    context.report({ step: `pulling ${base.reference}`, done: index, total: input.bases.length });
    pulled.push(await pullBase(host, input, base));
  }
  context.report({ done: undefined, total: undefined });
  return pulled;
}

async function pullBase(host: HostContext, { release, timing }: Pulling, base: PinnedImage): Promise<LocalBase> {
  const repository = repositoryOf(base.reference);
  return withRegistryAccess(host.configuration, [repository], async (access) => {
    await requireRedHatLogin(access, [base.reference], host.name);
    const image = await pullForRelease(
      host.work,
      release,
      access,
      { repository, digest: platformDigest(base) },
      timing,
    );
    const { id, labels, steps } = image;
    return { ...base, id, labels, steps };
  });
}

/** Gives a base that is here the digest of its index as a name too. */
export async function pullIndex(
  host: HostContext,
  { timing, architecture }: Pick<BuildInput, 'timing' | 'architecture'>,
  { reference, digest }: PinnedImage,
): Promise<void> {
  const repository = repositoryOf(reference);
  await withRegistryAccess(host.configuration, [repository], (access) =>
    pullByDigest(access, repository, digest, timing, { architecture }),
  );
}

/**
 * Looks up and pulls an image that podman asks for and resolve did not foresee.
 *
 * @returns null for what is no image of a registry: a missing stage, or an image of this host only
 * @throws FlightlineError `image-not-found`
 */
export async function answerFor(
  host: HostContext,
  input: Pulling & Pick<BuildInput, 'architecture'>,
  context: Pick<Task, 'report'>,
  asked: string,
): Promise<LocalBase | null> {
  const reference = withoutTransport(asked);
  const parsed = parseReference(reference);
  if (!parsed.ok) return null;
  context.report({ step: `looking up ${reference}` });
  const base = await withRegistryAccess(host.configuration, [parsed.reference.repository], (access) =>
    findForPlatform(access, reference, 'the Containerfile', input.architecture),
  );
  context.report({ step: `pulling ${reference}` });
  return pullBase(host, input, base);
}

/** The base for a name that podman asks for; undefined when it was not looked up. */
export function baseFor<Base extends PinnedImage>(bases: readonly Base[], asked: string): Base | undefined {
  const name = normalised(withoutTransport(asked));
  return bases.find((base) => normalised(base.reference) === name || nameByDigest(base) === name);
}

/** The base of the image, if the Containerfile is what it seems to be; undefined when it was not looked up. */
export function foreseenBase<Base extends PinnedImage>(
  containerfile: string,
  { buildArgs, architecture }: Pick<BuildInput, 'buildArgs' | 'architecture'>,
  bases: readonly Base[],
): Base | undefined {
  const { base } = readContainerfile(containerfile, buildArgs, architecture);
  return base === null ? undefined : baseFor(bases, base);
}

/** Images that podman took and that were not looked up: other names, or another image under a known name. Pure. */
export function unanswered(
  bases: readonly (PinnedImage & Pick<LocalBase, 'id'>)[],
  used: readonly UsedImage[],
): { unknown: UsedImage[]; exchanged: UsedImage[] } {
  const unknown = used.filter(({ asked }) => !isOfContext(asked) && baseFor(bases, asked) === undefined);
  const exchanged = used.filter((image) => {
    const base = baseFor(bases, image.asked);
    return base !== undefined && base.id !== image.id;
  });
  return { unknown, exchanged };
}

/** `true` for an image in the context, or one that an earlier stage has written. */
export function isOfContext(asked: string): boolean {
  const path = /^(?:oci|oci-archive|dir|docker-archive):([^:]+)/.exec(asked)?.[1];
  return path !== undefined && !path.startsWith('/') && !path.split('/').includes('..');
}

function withoutTransport(asked: string): string {
  return asked.startsWith(TRANSPORT) ? asked.slice(TRANSPORT.length) : asked;
}

/** A name as podman has it: with `latest` when it has no tag, without tag when it has a digest. */
function normalised(name: string): string {
  const parsed = parseReference(name);
  if (!parsed.ok) return name;
  const { repository, tag = 'latest', digest } = parsed.reference;
  return formatReference(digest ? { repository, digest } : { repository, tag });
}
