/** Gates: containers that look at what was built before it is sent, and may refuse it. */
import { z } from 'zod';
import { ARCHITECTURES } from '../base/host.ts';
import { durationBetween, parseDuration } from '../base/duration.ts';
import { Digest, ImageReference, ShortDigest } from '../oci/reference.ts';
import { isOfImage } from '../stage/stage.ts';

/** Most gates of a spec, so that a record of six disks with all verdicts fits into a payload. */
const MAX_GATES = 4;

const GateName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'is a short name: small letters, digits and "-"');

/** What gates look at. */
const GATE_AIMS = ['image', 'disk'] as const;

/** One of `gates` in flightline.yaml. */
const GateSection = z.strictObject({
  name: GateName.describe('by which a person waives it'),
  image: ImageReference.describe('the container image that looks; the operator lists it in the worker configuration'),
  arguments: z
    .array(
      z
        .string()
        .max(500)
        .regex(/^[^\0]*$/, 'must not hold a zero byte'),
    )
    .max(32)
    .default([])
    .describe("arguments of the image's entry point"),
  on: z.enum(GATE_AIMS).default('image').describe('image: each platform of the image; disk: the file of each disk'),
  timeout: durationBetween('1s', '6h').default('10m').describe('after which it counts as refusing: 90s, 10m, 1h'),
  network: z.boolean().default(false).describe('whether it has a network, where the operator lets it'),
});

export const GatesSection = z
  .array(GateSection)
  .max(MAX_GATES, `lists more than ${MAX_GATES} gates: let one image look for several things`)
  .superRefine((gates, context) => {
    const names = gates.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `${name} is listed twice` });
    }
  })
  .default([]);

/** A gate of a request. */
export const RequestedGate = z.object({
  name: GateName,
  image: ImageReference,
  arguments: z.array(z.string()),
  on: z.enum(GATE_AIMS),
  /** Milliseconds. */
  timeout: z.number().int().positive(),
  /** Absent for one without a network. */
  network: z.literal(true).optional(),
});
export type RequestedGate = z.infer<typeof RequestedGate>;

/** The gates of a spec, for its request. */
export function requestedGates(gates: z.infer<typeof GatesSection>): RequestedGate[] {
  return gates.map(({ timeout, network, ...gate }) => ({
    ...gate,
    timeout: parseDuration(timeout)!,
    ...(network && { network }),
  }));
}

/** The gates of a request that look at images, or at disks. */
export function gatesOn(on: RequestedGate['on'], gates: readonly RequestedGate[] = []): RequestedGate[] {
  return gates.filter((gate) => gate.on === on);
}

/** A gate as the record keeps it: what decides its verdict. */
export const RecordedGate = RequestedGate.pick({ name: true, on: true, network: true }).extend({
  /** Its image as the spec names it, and what that pointed at. */
  reference: z.string(),
  digest: Digest,
  /** Of its arguments, for which a record has no room. */
  arguments: ShortDigest,
});
export type RecordedGate = z.infer<typeof RecordedGate>;

/** A gate with what its image's name pointed at. */
export const PinnedGate = RequestedGate.extend({ digest: Digest });
export type PinnedGate = z.infer<typeof PinnedGate>;

/** What a gate said of one thing. */
const Look = z.object({
  gate: GateName,
  /** `image`, `image-arm64`, or the subject of a disk. */
  subject: z.string(),
  /** Of an image its id, the digest of its configuration; of a disk the sha256 of its file as built. */
  digest: Digest,
});

/** As the activity answers. */
export const GateOutcome = Look.extend({
  passed: z.boolean(),
  /** Why it refused, with its last lines; empty for one that passed. */
  said: z.string(),
});
export type GateOutcome = z.infer<typeof GateOutcome>;

/** Longest name of a person, and comment (characters). */
const Words = z.string().max(200);

/** A person's word that what a gate refused is to be released all the same. It holds for this digest alone. */
export const Waiver = z.object({ gate: GateName, digest: Digest, by: Words, at: z.string(), comment: Words });
export type Waiver = z.infer<typeof Waiver>;

/** As the record keeps it. */
export const GateVerdict = Look.extend({
  verdict: z.enum(['passed', 'refused', 'waived']),
  /** Who waived it, when and why. */
  waiver: Waiver.pick({ by: true, at: true, comment: true }).optional(),
});
export type GateVerdict = z.infer<typeof GateVerdict>;

/** The update on `release` that waives a gate. */
export const WAIVE_UPDATE = 'waive';

export const WaiveInput = z.object({
  gate: GateName,
  /** What the person looked at. */
  digests: z.array(Digest),
  by: Words,
  comment: Words.refine((text) => text.trim() !== '', { message: 'says nothing: why is it waived?' }),
});
export type WaiveInput = z.infer<typeof WaiveInput>;

/** Its answer: `repository:tag`, and what goes on. */
export const Waived = z.object({ reference: z.string(), resumed: z.array(z.string()) });
export type Waived = z.infer<typeof Waived>;

/** The waiver for what a gate said; undefined without one. */
export function waiverOf(
  { gate, digest }: Pick<GateOutcome, 'gate' | 'digest'>,
  waivers: readonly Waiver[],
): Waiver | undefined {
  return waivers.find((one) => one.gate === gate && one.digest === digest);
}

/** `true` for a verdict on the image, or on a disk of one of these types. */
export function isOfParts({ subject }: Pick<GateVerdict, 'subject'>, parts: readonly string[]): boolean {
  if (isOfImage(subject)) return parts.includes('image');
  const platform = ARCHITECTURES.find((name) => subject.endsWith(`-${name}`));
  return parts.includes(platform ? subject.slice(0, -platform.length - 1) : subject);
}

/** Verdicts as a person reads them: `licences on image: waived by anna: tested by hand`. */
export function gatesInWords(verdicts: readonly GateVerdict[] = []): string[] {
  return verdicts.map(({ gate, subject, digest, verdict, waiver }) => {
    const who = waiver ? ` by ${waiver.by}: ${waiver.comment}` : '';
    const what = verdict === 'passed' ? '' : ` (${digest})`;
    return `${gate} on ${subject}: ${verdict}${who}${what}`;
  });
}
