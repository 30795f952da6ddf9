/** What an image can be asked to be besides what its Containerfile, context and build arguments make of it. */
import { z } from 'zod';
import { INPUTS_LABEL, OCI } from '../oci/labels.ts';
import { parseReference } from '../oci/reference.ts';

/**
 * How an image brings its own verification. Without one, devices are configured otherwise (`flightline device-config`).
 */
export const VERIFICATIONS = ['bake'] as const;

/** What flightline writes itself, as labels; podman writes the last two as annotations. */
const OWN = [
  INPUTS_LABEL,
  OCI.version,
  OCI.revision,
  OCI.source,
  OCI.created,
  OCI.baseName,
  OCI.baseDigest,
] as readonly string[];

/** Before the name of an image that is a build context, as podman writes it. */
const IMAGE = 'docker-image://';

const Texts = z
  .record(
    z
      .string()
      .regex(/^[^\s=-][^\s=]*$/, 'is not the name of a label')
      .refine((name) => !OWN.includes(name), { message: 'is written by flightline' }),
    z.union([z.string(), z.number(), z.boolean()]).transform(String),
  )
  .optional();

/** The image that a build context is. */
const ImageContext = z.string().superRefine((text, context) => {
  const parsed = parseReference(text.slice(IMAGE.length));
  if (!text.startsWith(IMAGE))
    context.addIssue({ code: 'custom', message: `is an image: write ${IMAGE}REGISTRY/NAME:TAG` });
  else if (!parsed.ok) context.addIssue({ code: 'custom', message: parsed.problem });
});

/** Part of `image` of flightline.yaml, and of a request; absent where the spec says nothing. */
export const BuildOptions = z.object({
  target: z
    .string()
    .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'is not the name of a stage')
    .optional()
    .describe('the stage of the Containerfile that becomes the image; by default the last one'),
  buildContexts: z
    .record(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_./:@-]*$/, 'is not the name of a build context'), ImageContext)
    .optional()
    .describe('images by the names that the Containerfile has for them: {name: docker-image://REGISTRY/NAME:TAG}'),
  labels: Texts.describe('labels of the image'),
  annotations: Texts.describe("annotations of the image's manifest"),
});
export type BuildOptions = z.infer<typeof BuildOptions>;

/** The part of something larger that {@link BuildOptions} describes, without what is absent. Pure. */
export function buildOptions({ target, buildContexts, labels, annotations }: BuildOptions): BuildOptions {
  return {
    ...(target === undefined ? {} : { target }),
    ...(buildContexts === undefined ? {} : { buildContexts }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

/** The images that are build contexts, as references. Pure. */
export function contextImages({ buildContexts = {} }: BuildOptions): string[] {
  return Object.values(buildContexts).map((image) => image.slice(IMAGE.length));
}

/**
 * The flags of `podman build`. Pure.
 *
 * @param pinned the name by digest of an image that is a build context
 */
export function buildFlags(options: BuildOptions, pinned: (image: string) => string): string[] {
  const { target, buildContexts = {}, labels = {}, annotations = {} } = options;
  return [
    ...(target === undefined ? [] : [`--target=${target}`]),
    ...Object.entries(buildContexts).map(
      ([name, image]) => `--build-context=${name}=${IMAGE}${pinned(image.slice(IMAGE.length))}`,
    ),
    ...Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`),
    ...Object.entries(annotations).map(([name, value]) => `--annotation=${name}=${value}`),
  ];
}
