/** The inputs of a release now, for a comparison with the last record. */
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import { movedNames, needsApproval } from '../../model/release/approval.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { formatReference } from '../../model/oci/reference.ts';
import { requestedInstaller, type ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { inputParts, withContext, type Current } from './change.ts';
import { builderFrom, pin, pinGates } from './pin.ts';
import { findForPlatform } from '../image/bases/find-for-platform.ts';
import { requireRedHatLogin } from '../image/red-hat.ts';
import { repositoryOf } from '../tools/podman/build.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';

/** By what the record says of the context, without reading it; null when the record does not know this context. */
export async function byRecordedContext(
  { inputs }: ReleaseRecord,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<Current | null> {
  const { context } = request;
  const recorded = inputs?.parts;
  if (!inputs || !recorded || (context.kind !== 'git' && context.digest !== inputs.context)) return null;
  // Another commit is a change by itself. The release looks up what it names.
  const images = await lookUpImages(request, inputs, configuration);
  const approval = asksApproval(configuration, request);
  return { request, parts: withContext(request, recorded), context: inputs.context, approval, ...images };
}

/** By the context that was read. The bases are those of the record: another Containerfile is a change by itself. */
export async function byContext(
  { inputs }: ReleaseRecord,
  context: ContextSummary,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<Current> {
  const images = await lookUpImages(request, inputs ?? { base: [] }, configuration);
  return {
    request,
    parts: inputParts(request, context),
    context: context.digest,
    approval: asksApproval(configuration, request),
    ...images,
  };
}

/** The operator wants a person's approval for one of the tags. */
export function asksApproval({ approvals }: WorkerConfiguration, request: ReleaseRequest): boolean {
  return needsApproval(approvals, movedNames(request));
}

/** What the recorded bases, the builder and the installer point at now. */
async function lookUpImages(
  request: ReleaseRequest,
  recorded: Pick<NonNullable<ReleaseRecord['inputs']>, 'base' | 'installer'>,
  configuration: WorkerConfiguration,
): Promise<Pick<Current, 'bases' | 'builder' | 'installer' | 'gates'>> {
  const { architecture } = request;
  const named = recorded.base.map(({ reference }) => reference);
  const builder = request.disks.length > 0 ? formatReference(builderFrom(request, configuration)) : null;
  const installer = requestedInstaller(request);
  const all = [...named, ...(builder === null ? [] : [builder]), ...(installer === undefined ? [] : [installer])];
  return withRegistryAccess(configuration, all.map(repositoryOf), async (access) => {
    await requireRedHatLogin(access, all, 'the control worker');
    const [bases, pinned, installs, gates] = await Promise.all([
      Promise.all(
        recorded.base.map(async (base) => {
          const { reference, platform } = base;
          const found = await findForPlatform(access, reference, 'the Containerfile', platform ?? architecture, base);
          return { ...found, ...(platform && { platform }) };
        }),
      ),
      builder === null ? null : pin(access, builder, 'builder.image'),
      installer === undefined
        ? undefined
        : findForPlatform(access, installer, 'installer.image', architecture, recorded.installer),
      pinGates(configuration, request.gates),
    ]);
    return { bases, builder: pinned, installer: installs, gates };
  });
}
