/** What the verbs about keys, disks and devices print with `--json`. */
import { z } from 'zod';
import { Digest } from '../oci/reference.ts';

/** Of `flightline fetch`. */
export const FetchDocument = z.object({
  /** `repository:tag` of the disk. */
  reference: z.string(),
  verified: z.literal(true),
  /** Of the artifact or container disk. */
  digest: Digest,
  form: z.enum(['artifact', 'container-disk']),
  /** Of several, the one whose disk it is, as `linux/arm64`. */
  platform: z.string().optional(),
  /** Absolute. */
  path: z.string(),
  /** Bytes of the file. */
  size: z.number().int().nonnegative(),
  /** Of the file, in hexadecimal digits. */
  sha256: z.string(),
});

/** Of `flightline verify`. */
export const VerifyDocument = z.object({
  reference: z.string(),
  verified: z.literal(true),
  digest: Digest,
  kind: z.enum(['image', 'artifact', 'container-disk', 'record', 'context']),
  /** Of the manifest or index. */
  mediaType: z.string(),
  /** Null for images. */
  artifactType: z.string().nullable(),
  /** Of an index, what its entries are for, as `linux/arm64`. */
  platforms: z.array(z.string()).optional(),
  /** Every name that the key signed this digest for. */
  signedNames: z.array(z.string()),
});

/** Of `flightline keygen`: paths. */
export const KeygenDocument = z.object({
  privateKey: z.string(),
  publicKey: z.string(),
  /** Null when the passphrase was typed. */
  passphraseFile: z.string().nullable(),
});

/** Of `flightline device-config`. */
export const DeviceConfigDocument = z.object({
  /** Name of the key. */
  key: z.string(),
  /** Of which devices only take what that key signed. */
  repositories: z.array(z.string()),
  /** Paths of what was written. */
  files: z.array(z.string()),
  notes: z.array(z.string()),
});

/** Of `flightline bundle`. */
export const BundleDocument = z.object({
  /** Path of the bundle, and its bytes. */
  file: z.string(),
  size: z.number().int().nonnegative(),
  /** `repository:tag` of the release's image. */
  image: z.string(),
  /** Each name in the bundle, and what it points at. */
  roots: z.array(
    z.object({ name: z.string(), mediaType: z.string(), digest: Digest, size: z.number().int().nonnegative() }),
  ),
});

/** Of `flightline import`. */
export const ImportDocument = z.object({
  /** Every tag that was written, and the repository that it is signed for. */
  imported: z.array(z.object({ repository: z.string(), tag: z.string(), digest: Digest, signedAs: z.string() })),
  /** What a device's policy must map: `prefix` stands for `signedPrefix`. */
  policy: z.object({ prefix: z.string(), signedPrefix: z.string() }),
});
