/** What a device fetches to get from one image to another, from their manifests alone. Pure. */
import { z } from 'zod';
import { bytesInWords } from '../base/words.ts';
import { Digest } from './reference.ts';
import type { Manifest } from './manifest.ts';

/** The manifest of an image for one platform. */
export interface ImageManifest {
  digest: string;
  /** Bytes of the manifest itself. */
  size: number;
  manifest: Manifest;
}

/** How many packages of rpm and dpkg differ between two images. */
export const PackageCounts = z.object({
  added: z.number().int().nonnegative(),
  removed: z.number().int().nonnegative(),
  changed: z.number().int().nonnegative(),
});
export type PackageCounts = z.infer<typeof PackageCounts>;

/** What devices that follow a tag fetch for a release, compared with what the tag pointed at before. */
export const UpdateCost = z.object({
  /** `linux/amd64` */
  platform: z.string(),
  /** `repository:tag` that devices follow, and the image that it pointed at. */
  from: z.string(),
  digest: Digest,
  /** Manifest, configuration and layers as the registry has them, compressed. */
  bytes: z.number().int().nonnegative(),
  /** How many layers are fetched, of how many that the image has. */
  layers: z.number().int().nonnegative(),
  of: z.number().int().nonnegative(),
  /** By the attested bills of materials; absent when one of the images has none. */
  packages: PackageCounts.optional(),
});
export type UpdateCost = z.infer<typeof UpdateCost>;

/**
 * Bytes and layers that a device with one image fetches for the next: those whose digest it does not have. podman
 * fetches a layer that the image has twice twice, since it fetches several at once.
 */
export function updateCost(
  before: Pick<ImageManifest, 'digest' | 'manifest'>,
  next: ImageManifest,
): Pick<UpdateCost, 'bytes' | 'layers' | 'of'> {
  const there = new Set((before.manifest.layers ?? []).map(({ digest }) => digest));
  const all = next.manifest.layers ?? [];
  const fetched = all.filter(({ digest }) => !there.has(digest));
  if (before.digest === next.digest) return { bytes: 0, layers: 0, of: all.length };
  const own = next.size + (next.manifest.config?.size ?? 0);
  return {
    bytes: own + fetched.reduce((sum, { size }) => sum + size, 0),
    layers: fetched.length,
    of: all.length,
  };
}

/** `devices on v1 fetch 212 MB (3 of 71 layers), packages: 1 added, 0 removed, 14 changed` */
export function updateInWords({ from, bytes, layers, of, packages }: Omit<UpdateCost, 'platform' | 'digest'>): string {
  const fetched = `fetch ${bytesInWords(bytes)} (${layers} of ${of} layers)`;
  const differ =
    packages && `, packages: ${packages.added} added, ${packages.removed} removed, ${packages.changed} changed`;
  return `devices on ${from.slice(from.lastIndexOf(':') + 1)} ${fetched}${differ ?? ''}`;
}

/** The same for each platform, which is named where there are several. */
export function updatesInWords(costs: readonly UpdateCost[]): string[] {
  return costs.map((cost) => ofPlatform(cost, costs));
}

function ofPlatform(cost: UpdateCost, all: readonly UpdateCost[]): string {
  return all.length > 1 ? `${cost.platform}: ${updateInWords(cost)}` : updateInWords(cost);
}

/** Why a release must be approved; undefined when every platform's update costs at most `most` bytes. */
export function overMaxUpdate(costs: readonly UpdateCost[], most: number | undefined): string | undefined {
  const over = most === undefined ? [] : costs.filter(({ bytes }) => bytes > most);
  if (over.length === 0) return undefined;
  const words = over.map((cost) => ofPlatform(cost, costs)).join('; ');
  return `${words}, more than ${bytesInWords(most!)} (maxUpdate)`;
}
