/** Looks up what image names of a spec or Containerfile point at now. */
import { shortDigest } from '../../model/base/digest.ts';
import { requireBuilderOptions } from '../../model/spec/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { RecordedGate, RequestedGate } from '../../model/gate/gate.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { parseReference, type Reference } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';

/** Parses a name. @throws FlightlineError `invalid-input` */
export function referenceFrom(image: string): Reference {
  const parsed = parseReference(image);
  if (!parsed.ok) throw new FlightlineError('invalid-input', parsed.problem);
  return parsed.reference;
}

/** The builder's name, if it may run here. @throws FlightlineError `builder-not-allowed` */
export function builderFrom(request: Pick<ReleaseRequest, 'builder'>, configuration: WorkerConfiguration): Reference {
  const builder = allowedFrom(request.builder.image, 'builder', configuration.builders);
  requireBuilderOptions(request.builder, configuration.forbiddenBuilderOptions, 'the operator');
  return builder;
}

/** Looks up a mutable reference for any platform. Only checks one with a digest. */
export async function pin(access: RegistryAccess, image: string, where: string): Promise<PinnedImage> {
  const reference = referenceFrom(image);
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const digest = await access.images(reference.repository).headManifest(wanted);
  if (digest === null) {
    throw new FlightlineError('image-not-found', `${image}, named by ${where}, is not in its registry`);
  }
  return { reference: image, digest };
}

/** Gates with what their images' names point at now, each looked up once; undefined without gates. */
export async function pinGates(
  configuration: WorkerConfiguration,
  gates: readonly RequestedGate[] = [],
): Promise<RecordedGate[] | undefined> {
  const images = [...new Set(gates.map(({ image }) => image))];
  if (images.length === 0) return undefined;
  const repositories = images.map((image) => referenceFrom(image).repository);
  const pinned = await withRegistryAccess(configuration, repositories, (access) =>
    Promise.all(images.map((image) => pin(access, image, 'gates'))),
  );
  return gates.map(({ name, on, network, image, arguments: words }) => ({
    name,
    on,
    ...(network && { network }),
    ...pinned.find(({ reference }) => reference === image)!,
    arguments: shortDigest(words),
  }));
}

/** The name of what rewrites layers, if it may run here. @throws FlightlineError `builder-not-allowed` */
export function rechunkerFrom(image: string, { rechunkers }: Pick<WorkerConfiguration, 'rechunkers'>): Reference {
  const remedy = 'ask the operator to list it under `rechunkers` in the worker configuration';
  return allowedFrom(image, 'rechunker', rechunkers, { remedy });
}

function allowedFrom(image: string, what: string, scopes: readonly string[], options?: { remedy: string }): Reference {
  const named = referenceFrom(image);
  if (isAllowed(scopes, named.repository)) return named;
  throw new FlightlineError(
    'builder-not-allowed',
    `the ${what} ${named.repository} may not run here; allowed are ${scopes.join(', ') || 'none'}`,
    options,
  );
}
