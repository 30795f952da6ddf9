/** What a release would be made of, found without reading its context: the last record says what is in it. */
import type { ReleaseRecord } from '../spec/record.ts';
import { formatReference } from '../spec/reference.ts';
import type { ReleaseRequest } from '../spec/request.ts';
import type { WorkerConfiguration } from '../spec/worker-configuration.ts';
import { inputParts, withContext, type Current } from './comparison.ts';
import { builderFrom, pin } from './pin.ts';
import { requireRedHatLogin } from './red-hat.ts';
import { repositoryOf } from './tools/podman-build.ts';
import { withRegistryAccess } from './tools/registry-access.ts';

/** By the record's word for the context; null when the record does not know the request's. */
export async function byRecordedContext(
  { inputs }: ReleaseRecord,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<Current | null> {
  const { context } = request;
  const recorded = inputs?.parts;
  if (!inputs || !recorded || (context.kind !== 'git' && context.digest !== inputs.context)) return null;
  // Another commit is a change by itself; whatever it names is looked up by the release.
  const named = inputs.base.map(({ reference }) => reference);
  const images = await lookUpImages(request, named, configuration);
  return { request, parts: withContext(request, recorded), context: inputs.context, ...images };
}

/** For a record that says too little to be compared with: nothing is like it. */
export function unlike(request: ReleaseRequest): Current {
  const unknown = { files: `sha256:${'0'.repeat(64)}`, builderConfig: null };
  return { request, parts: inputParts(request, unknown), context: '', bases: [], builder: null };
}

/** What the bases and the builder point at now. */
export async function lookUpImages(
  request: ReleaseRequest,
  named: readonly string[],
  configuration: WorkerConfiguration,
): Promise<Pick<Current, 'bases' | 'builder'>> {
  const builder = request.disks.length > 0 ? formatReference(builderFrom(request, configuration)) : null;
  const all = builder === null ? named : [...named, builder];
  return withRegistryAccess(configuration, all.map(repositoryOf), async (access) => {
    await requireRedHatLogin(access, all, 'the control worker');
    const [bases, pinned] = await Promise.all([
      Promise.all(named.map((image) => pin(access, image, 'the Containerfile'))),
      builder === null ? null : pin(access, builder, 'builder.image'),
    ]);
    return { bases, builder: pinned };
  });
}
