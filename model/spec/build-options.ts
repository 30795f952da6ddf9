/** How an image is built and pushed, besides Containerfile, context and build arguments. */
import { z } from 'zod';
import { INPUTS_LABEL, OCI } from '../oci/labels.ts';
import { ImageReference, parseReference } from '../oci/reference.ts';

/**
 * How an image brings its own verification. Without it, `flightline device-config` makes the files for devices.
 */
export const VERIFICATIONS = ['bake'] as const;

/** Labels that flightline writes itself. podman writes the last two as annotations. */
const OWN = [
  INPUTS_LABEL,
  OCI.version,
  OCI.revision,
  OCI.source,
  OCI.created,
  OCI.baseName,
  OCI.baseDigest,
] as readonly string[];

/** podman's prefix for an image that is a build context. */
const IMAGE = 'docker-image://';

/** A path in a project, relative to the spec or to the git context. */
export const ProjectPath = z
  .string()
  .min(1)
  .refine((path) => !path.startsWith('-') && !path.includes('\0'), { message: 'must not begin with "-"' });

const Texts = z
  .record(
    z
      .string()
      .regex(/^[^\s=-][^\s=]*$/, 'is not the name of a label')
      .refine((name) => !OWN.includes(name), { message: 'is written by flightline' }),
    z.union([z.string(), z.number(), z.boolean()]).transform(String),
  )
  .optional();

/** A build context: an image or a directory. */
const BuildContext = z.union([
  z
    .string()
    .startsWith(IMAGE)
    .superRefine((text, context) => {
      const parsed = parseReference(text.slice(IMAGE.length));
      if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem });
    }),
  ProjectPath.refine((path) => !/^[a-z-]+:/.test(path), {
    message: `is neither a directory nor an image: write its path, or ${IMAGE}REGISTRY/NAME:TAG`,
  }),
]);

const LAYER_FORMATS = ['gzip', 'zstd', 'zstd:chunked'] as const;
/** Highest level of each, by podman-push(1). */
const MAX_LEVEL = { gzip: 9, zstd: 20, 'zstd:chunked': 20 };

/** How podman compresses the image's layers. */
interface Compression {
  format: (typeof LAYER_FORMATS)[number];
  level?: number | undefined;
}

const LayerCompression = z
  .union([
    z.enum(LAYER_FORMATS).transform((format): Compression => ({ format })),
    z.strictObject({
      format: z.enum(LAYER_FORMATS).describe('gzip, zstd, or zstd:chunked'),
      level: z.number().int().min(1).optional().describe('gzip: 1 to 9; zstd and zstd:chunked: 1 to 20'),
    }),
  ])
  .superRefine(({ format, level = 1 }: Compression, context) => {
    const most = MAX_LEVEL[format];
    if (level <= most) return;
    context.addIssue({
      code: 'custom',
      path: ['level'],
      message: `must be from 1 to ${most} for ${format}`,
    });
  });

/** The programs that rewrite layers (activities/tools/rechunker/). */
export const RECHUNK_TOOLS = ['chunkah', 'rpm-ostree'] as const;
export type RechunkTool = (typeof RECHUNK_TOOLS)[number];

const Rechunk = z
  .strictObject({
    image: ImageReference.describe('the program; the worker configuration must allow it'),
    tool: z
      .enum(RECHUNK_TOOLS)
      .optional()
      .describe("whose command line it has: default chunkah's, or that of rpm-ostree compose build-chunked-oci"),
    maxLayers: z.number().int().min(2).max(499).optional().describe('the most layers; default is its own'),
  })
  .transform(({ tool = 'chunkah', ...rest }) => ({ ...rest, tool }));

/** Part of `image` of flightline.yaml, and of a request; absent where the spec says nothing. */
export const BuildOptions = z.object({
  target: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'is not the name of a stage')
    .optional()
    .describe('the stage of the Containerfile that becomes the image; by default the last one'),
  buildContexts: z
    .record(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$/, 'is not the name of a build context'), BuildContext)
    .optional()
    .describe(
      'directories and images by the names that the Containerfile has for them: ' +
        '{name: ../path, other: docker-image://REGISTRY/NAME:TAG}',
    ),
  labels: Texts.describe('labels of the image'),
  annotations: Texts.describe("annotations of the image's manifest"),
  compression: LayerCompression.optional().describe("how the image's layers are compressed; default is podman's, gzip"),
  rechunk: Rechunk.optional().describe('a program that rewrites the layers between build and push'),
});
export type BuildOptions = z.infer<typeof BuildOptions>;

/** The build options in a larger object, without absent ones. Pure. */
export function buildOptions(options: BuildOptions): BuildOptions {
  const { target, buildContexts, labels, annotations, compression, rechunk } = options;
  return {
    target,
    buildContexts,
    labels,
    annotations,
    compression,
    rechunk,
  };
}

/** References of the images among the build contexts. Pure. */
export function contextImages({ buildContexts = {} }: BuildOptions): string[] {
  return Object.values(buildContexts).flatMap((written) => imageOf(written) ?? []);
}

/** The directories among the build contexts, by name, with the spec's own paths. Pure. */
export function contextDirectories({ buildContexts = {} }: BuildOptions): Record<string, string> {
  return Object.fromEntries(Object.entries(buildContexts).filter(([, written]) => imageOf(written) === null));
}

function imageOf(written: string): string | null {
  return written.startsWith(IMAGE) ? written.slice(IMAGE.length) : null;
}

/**
 * The flags of `podman build`. Pure.
 *
 * @param pinned gives an image's name by digest
 * @param directory gives the path of a build context's directory
 */
export function buildFlags(
  options: BuildOptions,
  pinned: (image: string) => string,
  directory: (name: string) => string,
): string[] {
  const { target, buildContexts = {}, labels = {} } = options;
  return [
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...Object.entries(buildContexts).map(([name, written]) => {
      const image = imageOf(written);
      return `--build-context=${name}=${image === null ? directory(name) : `${IMAGE}${pinned(image)}`}`;
    }),
    ...Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`),
    ...annotationFlags(options),
  ];
}

/** The flags of `podman push`, which also sends layers that the registry has in another form. Pure. */
export function compressionFlags({ compression }: BuildOptions): string[] {
  if (!compression) return [];
  const { format, level } = compression;
  return [`--compression-format=${format}`, ...(level === undefined ? [] : [`--compression-level=${level}`])];
}

/** The flags for annotations. Pure. */
export function annotationFlags({ annotations = {} }: BuildOptions): string[] {
  return Object.entries(annotations).map(([name, value]) => `--annotation=${name}=${value}`);
}
