/** The stage `resolve` (DESIGN §3.1): everything mutable is looked up once, and what can be refused is refused before anything is built. */
import { builderRuns } from '../spec/disk.ts';
import { ResolveInput, type ResolveResult } from '../spec/contract.ts';
import { pulledRepositories } from '../spec/device-policy.ts';
import { secretInputs } from '../spec/enrollment.ts';
import { FlightlineError } from '../spec/failure.ts';
import { diskInputsDigest, imageInputsDigest } from '../spec/inputs.ts';
import { BOOTC_LABEL } from '../spec/labels.ts';
import type { PinnedImage, ReleaseRecord } from '../spec/record.ts';
import { formatReference, parseReference, type Reference } from '../spec/reference.ts';
import type { ReleaseRequest } from '../spec/request.ts';
import { isAllowed, type WorkerConfiguration } from '../spec/worker-configuration.ts';
import { readContainerfile } from './containerfile.ts';
import { inspectContext, sendGitContext } from './context-archive.ts';
import { imageLabels } from './image-config.ts';
import { readRecord } from './record.ts';
import { requireRedHatLogin } from './red-hat.ts';
import { stage } from './stage.ts';
import { type RegistryAccess, withRegistryAccess } from './tools/registry-access.ts';
import { headManifest } from './tools/registry.ts';

type Resolved = Omit<ResolveResult, 'attempts'>;

/** The activity `resolve`. Reads only, but for packing a git context. Whatever it rejects ends the release. */
export function makeResolve({ configuration }: { configuration: WorkerConfiguration }) {
  return stage('resolve', ResolveInput, async ({ request }): Promise<Resolved> => {
    const builderReference = request.disks.length > 0 ? builderFrom(request, configuration) : null;
    const ours = [request.repository, request.contextRepository, request.recordRepository];
    const { artifact, facts } = await withRegistryAccess(configuration, ours, async (access) => {
      const sent = await contextArtifact(access, request, configuration);
      return { artifact: sent, facts: await inspectContext(access, sent) };
    });
    const containerfile = readContainerfile(facts.containerfile, request.buildArgs, request.architecture);
    const foreign = [...containerfile.images, ...(builderReference ? [formatReference(builderReference)] : [])];
    const repositories = [...ours, ...foreign.map((image) => referenceFrom(image).repository)];
    return withRegistryAccess(configuration, repositories, async (access): Promise<Resolved> => {
      await requireRedHatLogin(access, foreign, 'the control worker');
      const bases = await Promise.all(containerfile.images.map((image) => pin(access, image, 'the Containerfile')));
      const builder = builderReference ? await pin(access, formatReference(builderReference), 'builder.image') : null;
      await requireBootable(access, containerfile, bases, request.architecture);
      const imageInputs = imageInputsDigest({
        files: facts.files,
        bases,
        buildArgs: request.buildArgs,
        architecture: request.architecture,
        ...(request.verification && {
          verification: { key: request.key, repositories: pulledRepositories(request) },
        }),
        ...secretInputs(request),
      });
      const resolved: Resolved = {
        unchanged: null,
        context: artifact,
        imageInputs,
        bases,
        builder,
        builderConfig: facts.builderConfig,
        existingTag: await headManifest(access, request.repository, request.tag),
      };
      if (resolved.existingTag === null || request.tagPolicy === 'move') return resolved;
      return { ...resolved, unchanged: await unchangedRecord(access, request, resolved, configuration) };
    });
  });
}

async function contextArtifact(access: RegistryAccess, request: ReleaseRequest, configuration: WorkerConfiguration) {
  const repository = request.contextRepository;
  if (request.context.kind === 'artifact') return { repository, digest: request.context.digest };
  return { repository, digest: await sendGitContext(access, repository, request.context, configuration.git.schemes) };
}

function referenceFrom(image: string): Reference {
  const parsed = parseReference(image);
  if (!parsed.ok) throw new FlightlineError('invalid-input', parsed.problem);
  return parsed.reference;
}

function builderFrom(request: ReleaseRequest, configuration: WorkerConfiguration): Reference {
  const builder = referenceFrom(request.builder.image);
  if (!isAllowed(configuration.builders, builder.repository)) {
    throw new FlightlineError(
      'builder-not-allowed',
      `the builder ${builder.repository} may not run here; allowed are ${configuration.builders.join(', ') || 'none'}`,
    );
  }
  return builder;
}

/** Looks a mutable reference up; one with a digest is only checked. */
async function pin(access: RegistryAccess, image: string, where: string): Promise<PinnedImage> {
  const reference = referenceFrom(image);
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const digest = await headManifest(access, reference.repository, wanted);
  if (digest === null) {
    throw new FlightlineError('image-not-found', `${image}, named by ${where}, is not in its registry`);
  }
  return { reference: image, digest };
}

async function requireBootable(
  access: RegistryAccess,
  containerfile: ReturnType<typeof readContainerfile>,
  bases: readonly PinnedImage[],
  architecture: string,
): Promise<void> {
  if (containerfile.label(BOOTC_LABEL) !== undefined) return;
  const base = bases.find((pinned) => pinned.reference === containerfile.base);
  const labels = base
    ? await imageLabels(access, referenceFrom(base.reference).repository, base.digest, architecture)
    : {};
  if (labels[BOOTC_LABEL] === undefined) {
    throw new FlightlineError(
      'not-bootc',
      `${containerfile.base ?? 'scratch'} is not a bootable base image: it has no label ${BOOTC_LABEL}`,
    );
  }
}

/**
 * The record of an existing tag, when it has the same inputs and everything it names is there.
 *
 * @throws FlightlineError `tag-exists` otherwise: with `tagPolicy: create` an existing tag is not moved.
 */
async function unchangedRecord(
  access: RegistryAccess,
  request: ReleaseRequest,
  resolved: Resolved,
  configuration: WorkerConfiguration,
): Promise<ReleaseRecord> {
  const name = `${request.repository}:${request.tag}`;
  const key = configuration.keys[request.key]?.publicKey ?? null;
  const record = await readRecord(access, request.recordRepository, request.tag, key);
  const difference = record
    ? (differenceFrom(record, request, resolved, new Date()) ?? (await missingFrom(access, record)))
    : 'no verified record of it is in the registry';
  if (record && difference === null) return record;
  throw new FlightlineError('tag-exists', `${name} exists, and it is not what this release would make: ${difference}`);
}

/** What a release would make otherwise than the record says, in words; null when nothing. Pure. */
export function differenceFrom(
  record: ReleaseRecord,
  request: ReleaseRequest,
  resolved: Pick<Resolved, 'imageInputs' | 'builder' | 'builderConfig' | 'existingTag'>,
  now: Date,
): string | null {
  if (record.image.digest === null || record.image.digest !== resolved.existingTag) return 'the tag was moved since';
  if (record.inputs?.image !== resolved.imageInputs)
    return 'context, Containerfile, base, build arguments or secrets differ';
  const { certificateEnds } = record.image;
  if (certificateEnds !== undefined && !(new Date(certificateEnds) > now)) {
    return `the enrollment certificate in the image ended on ${certificateEnds}`;
  }
  const published = record.disks.map(({ type, form, reference }) => `${type} ${form} ${reference}`).sort();
  const asked = request.disks
    .map(
      ({ type, publish, repository }) =>
        `${type} ${publish} ${publish === 'none' ? null : `${repository}:${request.tag}`}`,
    )
    .sort();
  if (published.join() !== asked.join()) return 'the disks differ';
  for (const run of builderRuns(request.disks)) {
    const inputs = diskInputsDigest({
      image: record.image.digest,
      origin: `${request.repository}:${request.tag}`,
      builder: resolved.builder!.digest,
      configuration: resolved.builderConfig?.digest ?? null,
      rootfs: request.builder.rootfs,
      types: run.types,
      architecture: request.architecture,
    });
    if (run.types.some((type) => record.inputs?.disks[type] !== inputs)) {
      return `builder or builder configuration of ${run.types.join(' and ')} differ`;
    }
  }
  return null;
}

async function missingFrom(access: RegistryAccess, record: ReleaseRecord): Promise<string | null> {
  for (const { reference, digest } of [record.image, ...record.disks]) {
    if (reference === null || digest === null) continue;
    const { repository, tag } = referenceFrom(reference);
    if ((await headManifest(access, repository, tag!)) !== digest) return `${reference} is gone or was moved`;
  }
  return null;
}
