/**
 * Makes an image or artifact known under another repository of its registry, without a byte of its blobs: each is
 * mounted there (OCI distribution specification v1.1, "Mounting a blob from another repository"), then the manifests
 * are stored.
 */
import { FlightlineError } from '../../../model/failure/failure.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import type { RegistryAccess } from './access.ts';
import { getManifest, missingPart, putManifest } from './registry.ts';
import { ask } from './ask.ts';
import { apiName, expectSuccess } from './api.ts';

/** It was there already. */
const NOTHING = { mounted: 0 };

/**
 * Copies a digest, and of an index its entries, by mounting.
 *
 * @returns how many blobs were mounted; null when the registry does not mount, and nothing but mounted blobs was left.
 * @throws FlightlineError `disk-vanished` when the source is not there in full; a registry's failure.
 */
export async function mountManifest(
  access: RegistryAccess,
  names: { from: string; to: string },
  digest: string,
): Promise<{ mounted: number } | null> {
  const { from, to } = names;
  if ((await missingPart(access, to, digest)) === null) return NOTHING;
  const stored = await getManifest(access, from, digest);
  const manifest = stored && parseManifest(stored.bytes);
  if (!stored || !manifest)
    throw new FlightlineError('disk-vanished', `${from}@${digest} is no longer in the registry`);
  let mounted = 0;
  for (const entry of manifest.manifests ?? []) {
    const inner = await mountManifest(access, names, entry.digest);
    if (inner === null) return null;
    mounted += inner.mounted;
  }
  const blobs = new Set([manifest.config, ...(manifest.layers ?? [])].flatMap((blob) => (blob ? [blob.digest] : [])));
  for (const blob of blobs) {
    const answer = await mountBlob(access, names, blob);
    if (answer === 'not-mounted') return null;
    if (answer === 'mounted') mounted += 1;
  }
  await putManifest(access, to, digest, stored);
  return { mounted };
}

async function mountBlob(
  access: RegistryAccess,
  { from, to }: { from: string; to: string },
  digest: string,
): Promise<'there' | 'mounted' | 'not-mounted'> {
  const there = await ask(access, to, 'pull', `/blobs/${digest}`, { method: 'HEAD' });
  if (there.status === 200) return 'there';
  const query = new URLSearchParams({ mount: digest, from: apiName(from) });
  const answer = await ask(access, to, 'pull,push', `/blobs/uploads/?${query.toString()}`, {
    method: 'POST',
    headers: { 'content-length': '0' },
    alsoPull: from,
  });
  expectSuccess(answer, to, 'a mount');
  if (answer.status === 201) return 'mounted';
  // 202: it began an upload instead, which is dropped where the registry can; else it expires.
  const upload = answer.headers.location ? new URL(answer.headers.location, answer.url) : undefined;
  if (upload?.host === answer.url.host) {
    upload.protocol = answer.url.protocol;
    await ask(access, to, 'pull,push', upload, { method: 'DELETE' }).catch((error: unknown) => {
      if (!(error instanceof FlightlineError)) throw error;
    });
  }
  return 'not-mounted';
}
