/** Activities of control workers for a release: inputs and results. */
import { z } from 'zod';
import { NightlyTemplate } from '../release/nightly.ts';
import { WebhookName } from '../spec/notify.ts';
import { Notification } from '../release/notification.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { ARCHITECTURES, HostName } from '../base/host.ts';
import { RecordedGate } from '../gate/gate.ts';
import { Compared, PinnedImage, ReleaseRecord } from '../release/record.ts';
import { ReleaseRequest } from '../spec/request.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity, ContextArtifact, BuilderConfig } from '../release/identity.ts';
import { attempts, on } from './activity.ts';

export const ResolveInput = ReleaseIdentity.extend({ request: ReleaseRequest });
export type ResolveInput = z.infer<typeof ResolveInput>;

export const ResolveResult = z.object({
  attempts,
  /** The complete release of the same inputs that the tag already names: this release ends as `unchanged`. */
  unchanged: ReleaseRecord.nullable(),
  context: ContextArtifact,
  /** Digest over bases, context, build arguments, platform (model/release/inputs.ts). */
  imageInputs: Digest,
  /** Every external image of the Containerfile; of several platforms, those of each. */
  bases: z.array(PinnedImage),
  /** The image inputs' digest of each, in a release for several. */
  platforms: z.array(z.object({ platform: z.enum(ARCHITECTURES), imageInputs: Digest })).optional(),
  /** Null for a release without disks. */
  builder: PinnedImage.nullable(),
  /** Absent without a disk that boots from one. */
  installer: PinnedImage.optional(),
  /** The gates with what their images' names pointed at; absent without any. */
  gates: z.array(RecordedGate).optional(),
  /** What rewrites the image's layers; absent without one. */
  rechunker: PinnedImage.optional(),
  builderConfig: BuilderConfig.nullable(),
  /** What the release's tag pointed at when it began; null when it did not exist. */
  existingTag: Digest.nullable(),
  /** The operator wants a person's approval for one of the tags, whatever the request says. */
  approval: z.boolean().optional(),
  ...Compared.shape,
});
export type ResolveResult = z.infer<typeof ResolveResult>;

export const HostsInput = ReleaseIdentity.extend({ architecture: z.enum(ARCHITECTURES), timing: TimingSchema });
export type HostsInput = z.infer<typeof HostsInput>;

export const HostsResult = z.object({ attempts, hosts: z.array(HostName) });
export type HostsResult = z.infer<typeof HostsResult>;

/** Input of the `notification` workflow and of its activity. */
export const NotifyInput = ReleaseIdentity.extend({
  webhook: WebhookName,
  /** The release's repository, which the HMAC's secret must list. */
  repository: Repository,
  /** The activity adds the link. */
  notification: Notification.omit({ link: true }),
  timing: TimingSchema,
});
export type NotifyInput = z.infer<typeof NotifyInput>;

export const NotifyResult = z.object({
  attempts,
  /** HTTP status of the answer. */
  answered: z.number().int(),
});
export type NotifyResult = z.infer<typeof NotifyResult>;

/** Input of the comparison before a nightly release. */
export const CompareInput = ReleaseIdentity.extend({
  template: NightlyTemplate,
  /** When the run was scheduled, ISO 8601. */
  at: z.string(),
});
export type CompareInput = z.infer<typeof CompareInput>;

export const CompareResult = z.object({
  attempts,
  /** The commit of a git context's ref now, 40 hexadecimal digits or more; null for a directory. */
  commit: z.string().nullable(),
  /** What a release would make anew: everything, some parts but not the image, or nothing. */
  change: z.enum(['image', 'part', 'none']),
  /** Why, in words; for `none`, which release it equals. */
  reason: z.string(),
  /** Tag of the release that it was compared with; null when there was none. */
  standing: Tag.nullable(),
});
export type CompareResult = z.infer<typeof CompareResult>;

/** The question with which `flightline schedule show` asks what a run would do now. */
export const CompareNowInput = CompareInput.pick({ template: true });
export type CompareNowInput = z.infer<typeof CompareNowInput>;

/** Ends a release that is held. */
export const SupersedeInput = ReleaseIdentity.extend({ timing: TimingSchema });
export type SupersedeInput = z.infer<typeof SupersedeInput>;

export const SupersedeResult = z.object({
  attempts,
  /** `false` when it was not held: nothing was done. */
  cancelled: z.boolean(),
});
export type SupersedeResult = z.infer<typeof SupersedeResult>;

export const CONTROL_ACTIVITIES = {
  /**
   * Resolves everything mutable to digests. Fails with a `fail` kind, since there is nothing yet to hold. Reads only,
   * except that it packs a git context.
   */
  resolve: on('control', 'resolve/resolve', ResolveInput, ResolveResult),
  /** The build hosts of an architecture that asked the server for work within its last minutes. */
  hosts: on('control', 'host/hosts', HostsInput, HostsResult),
  /** Posts the document. Fails with `webhook` when another try may work, else with `webhook-refused` or others. */
  notify: on('control', 'notify', NotifyInput, NotifyResult),
  /** What a nightly release would make anew. Reads only. */
  compare: on('control', 'resolve/compare', CompareInput, CompareResult),
  /** Cancels a release if it is held. */
  supersede: on('control', 'resolve/supersede', SupersedeInput, SupersedeResult),
};
