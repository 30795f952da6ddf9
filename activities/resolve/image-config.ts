/** Reads an image's configuration from the registry, without pulling it. */
import { z } from 'zod';
import { FlightlineError } from '../../model/release/failure.ts';
import { Digest } from '../../model/oci/reference.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { getBlob, getManifest } from '../tools/registry/registry.ts';

/** Largest image configuration that is read (bytes): histories of long builds are some 100 kB. */
const MAX_CONFIG = 8 * 1024 * 1024;

const Index = z.looseObject({
  manifests: z.array(
    z.looseObject({
      digest: Digest,
      platform: z.looseObject({ os: z.string(), architecture: z.string() }).optional(),
    }),
  ),
});
const Manifest = z.looseObject({ config: z.looseObject({ digest: Digest }) });
const Config = z.looseObject({
  config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/**
 * The labels of an image for an architecture; of the matching image where the digest is an index's.
 *
 * @throws FlightlineError `image-not-found` when the digest or the architecture is not there.
 */
export async function imageLabels(
  access: RegistryAccess,
  repository: string,
  digest: string,
  architecture: string,
): Promise<Record<string, string>> {
  const name = `${repository}@${digest}`;
  const json = await manifestJson(access, repository, digest);
  const index = Index.safeParse(json);
  let manifest: unknown = json;
  if (index.success) {
    const match = index.data.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    );
    if (!match) throw new FlightlineError('image-not-found', `${name} has no image for linux/${architecture}`);
    manifest = await manifestJson(access, repository, match.digest);
  }
  const parsed = Manifest.safeParse(manifest);
  if (!parsed.success) throw new FlightlineError('image-not-found', `${name} is no container image`);
  const blob = await getBlob(access, repository, parsed.data.config.digest, MAX_CONFIG);
  if (!blob) throw new FlightlineError('image-not-found', `${name} has lost its configuration in the registry`);
  const config = Config.safeParse(parseJson(blob, name));
  if (!config.success) throw new FlightlineError('image-not-found', `${name} has a damaged configuration`);
  return config.data.config?.Labels ?? {};
}

async function manifestJson(access: RegistryAccess, repository: string, digest: string): Promise<unknown> {
  const manifest = await getManifest(access, repository, digest);
  if (!manifest) throw new FlightlineError('image-not-found', `${repository}@${digest} is not in the registry`);
  return parseJson(manifest.bytes, `${repository}@${digest}`);
}

function parseJson(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new FlightlineError('image-not-found', `${name} is damaged in the registry: it is not JSON`);
  }
}
