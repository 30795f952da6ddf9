/**
 * Builds the image of an author's Containerfile. podman alone reads it. An image that podman asks for and resolve did
 * not foresee is looked up, and the build goes on from its cache.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../model/contract/build.ts';
import { OCI } from '../../model/oci/labels.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { sha256 } from '../../model/base/digest.ts';
import { platformDigest, type PinnedImage } from '../../model/release/record.ts';
import { buildFlags, contextImages } from '../../model/spec/build-options.ts';
import { isPrivate } from '../../model/spec/enrollment.ts';
import type { UnpackedContext } from '../context/unpack.ts';
import { foreignTo, type HostContext } from '../host/work-directory.ts';
import type { Task } from '../tools/process/task.ts';
import type { BuiltStep, UsedImage } from '../tools/podman/build-output.ts';
import { labelsToSet, nameByDigest, releaseLabels } from '../tools/podman/build.ts';
import { inspectImages, type LocalImage } from '../tools/podman/images.ts';
import { withBaseNames, type LocalBase } from './bases/base-names.ts';
import { answerFor, baseFor, foreseenBase, isOfContext, pullIndex, unanswered } from './bases/bases.ts';
import { podmanBuild } from './build-run.ts';
import { hasStaleStep } from './cache/stale-steps.ts';
import { StepNotes } from './cache/step-notes.ts';
import { volumesFor, type HostParts, type PrivateFlags } from './secrets/build-secrets.ts';

/** What a build shares with its activity. */
export interface ContainerfileBuild {
  readonly host: HostContext;
  readonly input: BuildInput;
  readonly context: Task;
  readonly parts: HostParts;
  readonly logFile: string;
}

/** An image, and the images that podman made it from. */
interface BuiltImage {
  image: LocalImage;
  bases: PinnedImage[];
  /** The base of its last stage; null for `scratch`. */
  base: PinnedImage | null;
}

/**
 * Builds it.
 *
 * @param bases the bases that resolve foresaw
 * @param name the image's name; null for none
 * @throws FlightlineError `containerfile` with podman's words, `image-not-found`, and others of the host
 */
export async function buildContainerfile(
  build: ContainerfileBuild,
  unpacked: UnpackedContext,
  bases: readonly LocalBase[],
  name: string | null,
  privateFlags: PrivateFlags,
): Promise<BuiltImage> {
  const { host, input, context, parts, logFile } = build;
  let known = await withContextImages(build, bases);
  const text = await readFile(unpacked.containerfile, 'utf8');
  let labels = expectedLabels(input, text, known);
  let cached = input.fresh === undefined;
  const own = new Set<string>();
  for (let corrected = false; ;) {
    const flags = [
      ...(await privateFlags(known.map(({ id }) => id))),
      ...(cached ? [] : ['--no-cache']),
      ...buildFlags(input, storedName(known), unpacked.contextNamed),
    ];
    const volumes = await volumesFor(host, known);
    const images = contextImages(input).map(storedName(known));
    const notes = new StepNotes(host.work.caches, input, { ...unpacked, volumes, images, text });
    const run = {
      ...unpacked,
      name,
      labels,
      flags,
      platform: platformOf(host, input),
      buildArgs: input.buildArgs,
      secrets: parts.secrets,
      volumes,
      cache: cacheOf(host, input),
      onMade: (step: BuiltStep) => notes.note(step),
    };
    const naming = { signal: context.signal, pullIndex: (base: LocalBase) => pullIndex(host, input, base) };
    const end = await withBaseNames(known, naming, () => podmanBuild(host, input, context, logFile, run));
    for (const id of end.output.made) own.add(id);
    const asked = 'missing' in end ? [end.missing] : await used(known, end.used, host.name);
    if (asked.length > 0) {
      const answers = await Promise.all(asked.map((image) => answerFor(host, input, context, image)));
      known = withAnswers(known, asked, answers, end);
      continue;
    }
    if ('missing' in end) throw end.failure;
    if (cached && (await hasStaleStep(end.output, own, notes, unpacked, input))) {
      cached = false;
      continue;
    }
    const { base, isOwn } = factsOf(end.image, known);
    const right = labelsToSet(releaseLabels({ ...input, base }), isOwn);
    if (corrected || areRight(labels, right, end.image.labels)) {
      const taken = end.used.flatMap((image) => baseFor(known, image.asked) ?? []);
      return { image: end.image, base: base && plain(base), bases: [...new Set(taken)].map(plain) };
    }
    labels = right;
    corrected = true;
  }
}

async function withContextImages({ host, input, context }: ContainerfileBuild, bases: readonly LocalBase[]) {
  const known = [...bases];
  for (const image of contextImages(input)) {
    if (baseFor(known, image)) continue;
    const answer = await answerFor(host, input, context, image);
    if (answer) known.push(answer);
  }
  return known;
}

/** Names a base by digest, as the storage does. */
function storedName(bases: readonly LocalBase[]): (image: string) => string {
  return (image) => {
    const base = baseFor(bases, image);
    return base ? nameByDigest(base) : image;
  };
}

function plain({ reference, digest, manifest }: PinnedImage): PinnedImage {
  return { reference, digest, ...(manifest !== undefined && { manifest }) };
}

/** What podman is told to build for; null for the host's own platform. */
export function platformOf(host: HostContext, { architecture }: Pick<BuildInput, 'architecture'>): string | null {
  const foreign = foreignTo(host, architecture);
  return foreign && `linux/${foreign}`;
}

/**
 * The labels, if the Containerfile is what it seems to be. A build that turns out otherwise is made again.
 */
function expectedLabels(input: BuildInput, text: string, bases: readonly LocalBase[]): Record<string, string | null> {
  const base = foreseenBase(text, input, bases) ?? null;
  const inherited = base?.labels ?? {};
  const labels = releaseLabels({ ...input, base: base && plain(base) });
  return labelsToSet(labels, (label) => !Object.hasOwn(inherited, label) || text.includes(label));
}

function areRight(
  given: Readonly<Record<string, string | null>>,
  right: Readonly<Record<string, string | null>>,
  found: Readonly<Record<string, string>>,
): boolean {
  const taken = Object.keys(given).filter((label) => given[label] === null);
  return (
    taken.every((label) => Object.hasOwn(right, label)) &&
    Object.entries(right).every(([label, value]) => (found[label] ?? null) === value)
  );
}

/**
 * The images that a build took and that were not looked up. @throws FlightlineError when a base was replaced meanwhile.
 */
async function used(bases: readonly LocalBase[], taken: readonly UsedImage[], host: string): Promise<string[]> {
  const { unknown, exchanged } = unanswered(bases, taken);
  const [first] = await inStorage(exchanged);
  if (first) {
    const archive = taken.find(({ asked, id }) => isOfContext(asked) && id === first.id);
    if (archive) throw new FlightlineError('containerfile', `${archive.asked} holds an image named ${first.name}`);
    throw new FlightlineError('container-lost', `${first.name} was given to another image on ${host} meanwhile`);
  }
  return (await inStorage(unknown)).map(({ asked }) => asked);
}

/** Leaves out images that only a RUN has printed, in podman's words. */
async function inStorage(images: readonly UsedImage[]): Promise<UsedImage[]> {
  const stored = new Set((await inspectImages(images.map(({ id }) => id))).map(({ id }) => id));
  return images.filter(({ id }) => stored.has(id));
}

/** Adds the bases that podman lacked. @throws FlightlineError for one that cannot be found, or is asked for again. */
function withAnswers(
  bases: readonly LocalBase[],
  asked: readonly string[],
  answers: readonly (LocalBase | null)[],
  end: { failure: FlightlineError } | object,
): LocalBase[] {
  const known = [...bases];
  for (const [index, answer] of answers.entries()) {
    const name = asked[index]!;
    if (answer && !baseFor(bases, name)) {
      known.push(answer);
      continue;
    }
    const words = 'failure' in end ? end.failure.failure.message : '';
    // It has its name, so podman refuses it for its platform.
    if (answer && words.endsWith('image not known')) {
      throw new FlightlineError('containerfile', `${words}\n${name} was pulled for the platform of this release`, {
        remedy: {
          action: 'remove --platform from its FROM, or name an image of that platform',
          then: 'retry with the spec',
        },
      });
    }
    const parsed = parseReference(name);
    // A missing stage, or a name that podman has refused although the image was there.
    if ('failure' in end && (parsed.ok || (!words.endsWith('image not known') && !name.startsWith('localhost/'))))
      throw end.failure;
    const problem = parsed.ok ? `${name} cannot be looked up` : parsed.problem;
    throw new FlightlineError('containerfile', `${words}\nthe Containerfile's image ${problem}`.trim());
  }
  return known;
}

/**
 * The directory of a project's RUN caches (`--mount=type=cache`); null for a build with secrets or fresh packages,
 * whose cache goes with it.
 */
function cacheOf(host: HostContext, input: BuildInput): string | null {
  if (isPrivate(input) || (input.secrets ?? []).length > 0 || input.fresh !== undefined) return null;
  const foreign = foreignTo(host, input.architecture);
  return join(host.work.caches, `${sha256(input.repository).slice(0, 16)}${foreign === null ? '' : `-${foreign}`}`);
}

/** What an image tells of its last base, and which labels its own steps set. */
function factsOf(
  image: LocalImage,
  bases: readonly LocalBase[],
): { base: LocalBase | null; isOwn: (label: string) => boolean } {
  const { [OCI.baseName]: name, [OCI.baseDigest]: digest } = image.annotations;
  // Where the base has several names in the storage, podman notes any of them.
  const base =
    (name !== undefined && baseFor(bases, name)) || bases.find((one) => platformDigest(one) === digest) || null;
  // As buildah writes it: `/bin/sh -c #(nop) LABEL org.opencontainers.image.created=…`.
  const steps = image.steps.slice(base?.steps.length ?? 0).filter((step) => /#\(nop\) +LABEL /i.test(step));
  return { base, isOwn: (label) => steps.some((step) => step.includes(label)) };
}
