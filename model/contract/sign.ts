/** Activities of sign workers for a release: inputs and results. */
import { z } from 'zod';
import { PruneGroup, PruneRequest } from '../release/prune.ts';
import { ProvenanceParameters } from '../attestation/parameters.ts';
import { Attestation, ReleaseRecord } from '../release/record.ts';
import { ARCHITECTURES } from '../base/host.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { PackageCounts, UpdateCost } from '../oci/update-cost.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity } from '../release/identity.ts';
import { RotationGroup, RotationRequest } from '../tags/rotation.ts';
import { TagMove } from '../tags/tag-move.ts';
import { attempts, on } from './activity.ts';

export const ProveSigningInput = ReleaseIdentity.extend({
  key: z.string(),
  /** All repositories in which signatures and tags will be written. */
  repositories: z.array(Repository),
  timing: TimingSchema,
});
export type ProveSigningInput = z.infer<typeof ProveSigningInput>;

export const SignInput = ReleaseIdentity.extend({
  key: z.string(),
  repository: Repository,
  digest: Digest,
  /** The names to sign for: one signature for each tag. */
  tags: z.array(Tag).min(1),
  timing: TimingSchema,
});
export type SignInput = z.infer<typeof SignInput>;

export const SignResult = z.object({
  attempts,
  /** Tags that were signed now. The others had their signature. */
  signed: z.array(Tag),
});
export type SignResult = z.infer<typeof SignResult>;

export const IndexInput = ReleaseIdentity.extend({
  repository: Repository,
  /** What was pushed for each platform. */
  entries: z.array(z.object({ platform: z.enum(ARCHITECTURES), digest: Digest })).min(1),
  timing: TimingSchema,
});
export type IndexInput = z.infer<typeof IndexInput>;

/** Verifies under the device's policy, and that each name is signed. */
export const VerifyInput = SignInput.extend({
  /** The tag of the repository that devices follow, and their architectures: tells what an update costs them. */
  update: z.object({ from: Tag, architectures: z.array(z.enum(ARCHITECTURES)) }).optional(),
});
export type VerifyInput = z.infer<typeof VerifyInput>;

export const VerifyResult = z.object({
  attempts,
  /** For each architecture for which the tag has an image; absent where nobody asked. */
  updates: z.array(UpdateCost).optional(),
});
export type VerifyResult = z.infer<typeof VerifyResult>;

export const TagInput = ReleaseIdentity.extend({
  key: z.string(),
  /** In this order: each disk's tag, the image's, further tags. Each is verified by name once it has moved. */
  moves: z.array(TagMove).min(1),
  timing: TimingSchema,
});
export type TagInput = z.infer<typeof TagInput>;

export const TagResult = z.object({
  attempts,
  /** `repository:tag` of everything that moved. */
  moved: z.array(z.string()),
  /** Digests that the registry has lost. No tag has moved then, and their branches go back to push. */
  vanished: z.array(Digest),
});
export type TagResult = z.infer<typeof TagResult>;

/** What goes into a release's attestations. */
export const AttestInput = ReleaseIdentity.extend({
  key: z.string(),
  /** The release as it is now, all verified. */
  record: ReleaseRecord,
  /** Absent where no provenance is asked for. */
  parameters: ProvenanceParameters.optional(),
  /** What build hosts listed of the image, or of each of its platforms: the digests of an image and of an artifact. */
  sboms: z.array(z.object({ of: Digest, artifact: Digest })),
  /** `image` and types of disks: what the release made itself, and did not take over from an earlier one. */
  made: z.array(Attestation.shape.subject).min(1),
  /** ISO 8601. The same in each attempt, so that a later one adopts what an earlier one has signed. */
  finishedAt: z.string(),
  timing: TimingSchema,
});
export type AttestInput = z.infer<typeof AttestInput>;

export const AttestResult = z.object({
  attempts,
  attestations: z.array(Attestation),
  /** For the platforms of which an update is told, where the image that devices have has a list too. */
  packages: z.array(PackageCounts.extend({ platform: z.string() })).optional(),
  /** Digests that the registry has lost. Their branches go back to push. */
  vanished: z.array(Digest),
});
export type AttestResult = z.infer<typeof AttestResult>;

export const RecordInput = ReleaseIdentity.extend({
  key: z.string(),
  repository: Repository,
  /** The record is signed for each. */
  tags: z.array(Tag).min(1),
  /** Shared tags among them. The record gets such a name only if the image's tag still has this digest. */
  shared: z.object({ tags: z.array(Tag), repository: Repository, digest: Digest }).optional(),
  record: ReleaseRecord,
  timing: TimingSchema,
});
export type RecordInput = z.infer<typeof RecordInput>;

export const RecordResult = z.object({ attempts, digest: Digest });
export type RecordResult = z.infer<typeof RecordResult>;

export const ProveSigningResult = z.object({
  attempts,
  /** The public key (PEM), which devices will trust. */
  publicKey: z.string(),
});
export type ProveSigningResult = z.infer<typeof ProveSigningResult>;

export const PruneInput = ReleaseIdentity.extend({ request: PruneRequest });
export type PruneInput = z.infer<typeof PruneInput>;

export const PrunePageInput = PruneInput.extend({
  /** How many tags earlier pages had. */
  from: z.number().int().nonnegative(),
});
export type PrunePageInput = z.infer<typeof PrunePageInput>;

export const PrunePage = z.object({
  attempts,
  groups: z.array(PruneGroup),
  /** Where the next page begins; null when this is the last. */
  next: z.number().int().nullable(),
});
export type PrunePage = z.infer<typeof PrunePage>;

const PruneStep = z.object({
  attempts,
  /** What is still to be removed. The activity ends after a while, so that releases get their signatures meanwhile. */
  left: z.number().int().nonnegative(),
});

export const RotationInput = ReleaseIdentity.extend({ request: RotationRequest });
export type RotationInput = z.infer<typeof RotationInput>;

export const RotationPageInput = RotationInput.extend({ from: PrunePageInput.shape.from });
export type RotationPageInput = z.infer<typeof RotationPageInput>;

const RotationPage = PrunePage.extend({ groups: z.array(RotationGroup) });

export const SIGN_ACTIVITIES = {
  /** Proves before the build that the key may sign here, that its passphrase opens it, and that the login may push. */
  proveSigning: on('sign', 'trust/prove-signing', ProveSigningInput, ProveSigningResult),
  /** Makes the index of an image's platforms, by digest and without a tag. */
  index: on('sign', 'tags/make-index', IndexInput, z.object({ attempts, digest: Digest })),
  sign: on('sign', 'trust/sign', SignInput, SignResult),
  verify: on('sign', 'trust/verify', VerifyInput, VerifyResult),
  /** Signs what is to be known of the release, and attaches it to image and disks. */
  attest: on('sign', 'trust/attest/attest', AttestInput, AttestResult),
  tag: on('sign', 'tags/tag', TagInput, TagResult),
  record: on('sign', 'tags/record', RecordInput, RecordResult),
  /** A page of what would be removed and kept. Reads only. */
  planPrune: on('sign', 'prune/plan', PrunePageInput, PrunePage),
  /** Removes what is decided. Reads again before each removal. */
  prune: on('sign', 'prune/prune', PruneInput, PruneStep),
  /** A page of how tags stand between two keys. Reads only. */
  planRotation: on('sign', 'rotation/plan', RotationPageInput, RotationPage),
  /** Signs with the new key what the old one has signed, for a while. */
  rotateKeys: on('sign', 'rotation/rotate', RotationInput, PruneStep),
};
