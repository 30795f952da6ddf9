/** What differs between two images, and between the gates of the releases that made them. Pure. */
import { z } from 'zod';
import { gateDiff, GateDiff } from '../gate/gate-diff.ts';
import { GateVerdict } from '../gate/gate.ts';
import { imageDiff, ImageDiff, type PlatformImage } from '../oci/image-diff.ts';
import type { ReleaseRecord } from '../release/record.ts';

/** The document of `flightline diff --json`. */
export const ReleaseDiff = ImageDiff.extend({
  /** Null unless both images have a record. */
  gates: GateDiff.nullable(),
  /** What of the second image and its disks gates have refused, and a person waived. */
  waived: z.array(GateVerdict),
  /** Those of the two of which no record can be read, as they were named. */
  unrecorded: z.array(z.string()),
});
export type ReleaseDiff = z.infer<typeof ReleaseDiff>;

/** An image as it is in its registry. */
export interface RecordedImage {
  reference: string;
  images: readonly PlatformImage[];
  /** Of the release or promotion that tagged it; null where none can be read. */
  record: Pick<ReleaseRecord, 'inputs' | 'gates'> | null;
}

/** Compares two images, and what their records say of gates. */
export function releaseDiff(from: RecordedImage, to: RecordedImage): ReleaseDiff {
  const gatesOf = ({ record }: RecordedImage) => record?.inputs?.gates ?? [];
  return {
    ...imageDiff(from, to),
    gates: from.record && to.record && gateDiff(gatesOf(from), gatesOf(to)),
    waived: (to.record?.gates ?? []).filter(({ verdict }) => verdict === 'waived'),
    unrecorded: [from, to].filter(({ record }) => record === null).map(({ reference }) => reference),
  };
}
