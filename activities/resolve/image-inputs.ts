/**
 * Looks up the images that a build will probably need. What podman used for the same files and settings, by the last
 * record, is certain. What the Containerfile seems to name is a guess, so a failed look-up is no failure: the build
 * host looks it up when podman asks for it.
 */
import { digestOf } from '../../model/base/digest.ts';
import type { Architecture } from '../../model/base/host.ts';
import type { ResolveResult } from '../../model/contract/control.ts';
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import { pulledRepositories } from '../../model/device/signature-policy.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { InputParts, PinnedImage, ReleaseRecord } from '../../model/release/record.ts';
import { imageInputsDigest } from '../../model/release/inputs.ts';
import { buildOptions, contextImages } from '../../model/spec/build-options.ts';
import { secretInputs } from '../../model/spec/enrollment.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { findForPlatform } from '../image/bases/find-for-platform.ts';
import { readRecord } from '../trust/record.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { lastTags } from './last-release.ts';
import { referenceFrom } from './pin.ts';

/** The bases of a release's image and the digest over its inputs, of each platform where it has several. Reads only. */
export async function imageInputsOf(
  configuration: WorkerConfiguration,
  request: ReleaseRequest,
  context: ContextSummary & { parts: InputParts },
): Promise<Pick<ResolveResult, 'bases' | 'imageInputs' | 'platforms'>> {
  const last = await lastNames(configuration, request, context.parts);
  const inputsFor = async (platform: Architecture, hints: Pick<ContextSummary, 'images' | 'base'>) => {
    const bases = await foreseenBases(configuration, request, { ...hints, last }, platform);
    const imageInputs = imageInputsDigest({
      files: context.files,
      bases,
      buildArgs: request.buildArgs,
      architecture: platform,
      ...(request.verification && { verification: { key: request.key, repositories: pulledRepositories(request) } }),
      ...buildOptions(request),
      ...secretInputs(request),
    });
    return { platform, bases, imageInputs };
  };
  if (!request.platforms) {
    const { bases, imageInputs } = await inputsFor(request.architecture, context);
    return { bases, imageInputs };
  }
  const each = await Promise.all(
    request.platforms.map((platform) => {
      const hints = context.platforms?.find((one) => one.platform === platform) ?? context;
      return inputsFor(platform, hints);
    }),
  );
  const platforms = each.map(({ platform, imageInputs }) => ({ platform, imageInputs }));
  const bases = each.flatMap((one) => one.bases.map((base) => ({ ...base, platform: one.platform })));
  return { bases, imageInputs: digestOf(platforms), platforms };
}

/** Looks up the bases for a platform. */
async function foreseenBases(
  configuration: WorkerConfiguration,
  request: ReleaseRequest,
  { images, base, last }: Pick<ContextSummary, 'images' | 'base'> & { last: LastNames },
  architecture: Architecture,
): Promise<PinnedImage[]> {
  const names = [...(last.certain ? [] : [...images, ...contextImages(request)]), ...last.names];
  const found = await Promise.all(
    [...new Set(names)].map((image) => {
      // podman leaves out a stage that it does not need, whatever its image is for.
      const isNeeded = image === base || last.names.includes(image);
      return lookUp(configuration, image, architecture, isNeeded);
    }),
  );
  return found.filter((one) => one !== null);
}

/** The names that podman used for the same files. */
interface LastNames {
  names: string[];
  /** The settings were the same too. */
  certain: boolean;
}

/** By the last signed record. */
async function lastNames(
  configuration: WorkerConfiguration,
  request: ReleaseRequest,
  parts: InputParts,
): Promise<LastNames> {
  const none = { names: [], certain: false };
  const key = configuration.keys[request.key]?.publicKey ?? null;
  if (key === null) return none;
  const record = await withRegistryAccess(configuration, [request.recordRepository], async (access) => {
    for (const tag of lastTags(request)) {
      const found = await readRecord(access, request.recordRepository, tag, key).catch(() => null);
      if (found) return found;
    }
    return null;
  });
  return record?.inputs?.parts?.files === parts.files ? namesOf(record, parts) : none;
}

function namesOf({ inputs }: ReleaseRecord, parts: InputParts): LastNames {
  const names = inputs!.base.map(({ reference }) => reference);
  return { names, certain: inputs!.parts!.settings === parts.settings };
}

async function lookUp(
  configuration: WorkerConfiguration,
  image: string,
  architecture: Architecture,
  isNeeded: boolean,
): Promise<PinnedImage | null> {
  try {
    const { repository } = referenceFrom(image);
    return await withRegistryAccess(configuration, [repository], (access) =>
      findForPlatform(access, image, 'the Containerfile', architecture),
    );
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    if (isNeeded && error.failure.kind === 'platform-missing') throw error;
    return null;
  }
}
