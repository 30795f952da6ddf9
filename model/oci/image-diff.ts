/** What differs between two images: layers, sizes, configuration. Pure. */
import { z } from 'zod';
import { packageDiff, PackageDiff, type Package } from './packages.ts';
import { Digest } from './reference.ts';
import { updateCost, UpdateCost, type ImageManifest } from './update-cost.ts';

/** The parts of an image's configuration that are compared (OCI image specification, "Image Configuration"). */
export const ImageConfiguration = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  config: z.record(z.string(), z.unknown()).nullish(),
  history: z.array(z.looseObject({ created_by: z.string().nullish(), empty_layer: z.boolean().nullish() })).nullish(),
});
type ImageConfiguration = z.infer<typeof ImageConfiguration>;

/** An image for one platform. */
export interface PlatformImage {
  /** `linux/amd64` */
  platform: string;
  image: ImageManifest;
  configuration: ImageConfiguration;
  /** From its bill of materials; absent or null when none is attested. */
  packages?: readonly Package[] | null;
}

const DiffLayer = z.object({
  digest: Digest,
  /** Bytes, compressed. */
  size: z.number().int().nonnegative(),
  /** The instruction that made it; null when the configuration does not say. */
  createdBy: z.string().nullable(),
});
const ConfigurationChange = z.object({
  /** `Env.PATH`, `Labels.version`, `Cmd`, `Annotations.created` */
  key: z.string(),
  /** As JSON, or plain where it is a text; null where there is none. */
  from: z.string().nullable(),
  to: z.string().nullable(),
});

export const PlatformDiff = z.object({
  platform: z.string(),
  from: Digest,
  to: Digest,
  /** What a machine with the first image fetches for the second. */
  update: UpdateCost.pick({ bytes: true, layers: true, of: true }),
  /** Bytes of all layers, compressed. */
  size: z.object({ from: z.number().int(), to: z.number().int() }),
  layers: z.object({
    /** How many both have. */
    shared: z.number().int().nonnegative(),
    removed: z.array(DiffLayer),
    added: z.array(DiffLayer),
  }),
  configuration: z.array(ConfigurationChange),
  /** Packages of rpm and dpkg, by the attested bills of materials; null when one of the images has none. */
  packages: PackageDiff.nullable(),
});
export type PlatformDiff = z.infer<typeof PlatformDiff>;

export const ImageDiff = z.object({
  schemaVersion: z.literal(1),
  /** As they were named. */
  from: z.string(),
  to: z.string(),
  /** The platforms that both have. */
  platforms: z.array(PlatformDiff),
  /** Those that only one has. */
  onlyFrom: z.array(z.string()),
  onlyTo: z.array(z.string()),
});
export type ImageDiff = z.infer<typeof ImageDiff>;

/** Compares the images of two references, platform by platform. */
export function imageDiff(
  from: { reference: string; images: readonly PlatformImage[] },
  to: { reference: string; images: readonly PlatformImage[] },
): ImageDiff {
  const only = (these: readonly PlatformImage[], those: readonly PlatformImage[]) =>
    these.map(({ platform }) => platform).filter((platform) => !those.some((one) => one.platform === platform));
  return {
    schemaVersion: 1,
    from: from.reference,
    to: to.reference,
    platforms: from.images.flatMap((before) => {
      const next = to.images.find(({ platform }) => platform === before.platform);
      return next ? [platformDiff(before, next)] : [];
    }),
    onlyFrom: only(from.images, to.images),
    onlyTo: only(to.images, from.images),
  };
}

function platformDiff(before: PlatformImage, next: PlatformImage): PlatformDiff {
  const [old, now] = [layersOf(before), layersOf(next)];
  const lacks = (layers: readonly { digest: string }[]) => {
    const there = new Set(layers.map(({ digest }) => digest));
    return ({ digest }: { digest: string }) => !there.has(digest);
  };
  const total = (layers: readonly { size: number }[]) => layers.reduce((sum, { size }) => sum + size, 0);
  const added = now.filter(lacks(old));
  return {
    platform: next.platform,
    from: before.image.digest,
    to: next.image.digest,
    update: updateCost(before.image, next.image),
    size: { from: total(old), to: total(now) },
    layers: { shared: now.length - added.length, removed: old.filter(lacks(now)), added },
    configuration: changes(settingsOf(before), settingsOf(next)),
    packages: before.packages && next.packages ? packageDiff(before.packages, next.packages) : null,
  };
}

function layersOf({ image, configuration }: PlatformImage): z.infer<typeof DiffLayer>[] {
  const steps = (configuration.history ?? []).filter((step) => step.empty_layer !== true);
  const layers = image.manifest.layers ?? [];
  // A squashed image has a history of other layers than its own.
  const isTold = steps.length === layers.length;
  return layers.map(({ digest, size }, index) => ({
    digest,
    size,
    createdBy: (isTold ? steps[index]?.created_by : null) ?? null,
  }));
}

/** The settings by their keys: each variable and label has its own. */
function settingsOf({ image, configuration }: PlatformImage): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [key, value] of Object.entries(configuration.config ?? {})) {
    if (key === 'Env' && Array.isArray(value)) {
      for (const variable of value.map(String)) {
        const equals = variable.indexOf('=');
        settings.set(`Env.${variable.slice(0, equals)}`, variable.slice(equals + 1));
      }
    } else if (key === 'Labels' && typeof value === 'object') {
      for (const [name, text] of Object.entries(value ?? {})) settings.set(`Labels.${name}`, inWords(text));
    } else if (value !== null) settings.set(key, inWords(value));
  }
  for (const [name, text] of Object.entries(image.manifest.annotations ?? {}))
    settings.set(`Annotations.${name}`, text);
  return settings;
}

function inWords(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function changes(
  before: ReadonlyMap<string, string>,
  next: ReadonlyMap<string, string>,
): PlatformDiff['configuration'] {
  return [...new Set([...before.keys(), ...next.keys()])]
    .sort()
    .map((key) => ({ key, from: before.get(key) ?? null, to: next.get(key) ?? null }))
    .filter(({ from, to }) => from !== to);
}
