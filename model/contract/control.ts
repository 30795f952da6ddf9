/** What is asked of control workers for a release, and what they answer. */
import { z } from 'zod';
import { NightlyTemplate } from '../release/nightly.ts';
import { WebhookName } from '../spec/notify.ts';
import { Notification } from '../release/notification.ts';
import { Digest, Repository, Tag } from '../oci/reference.ts';
import { ARCHITECTURES, HostName } from '../base/host.ts';
import { Compared, PinnedImage, ReleaseRecord } from '../release/record.ts';
import { ReleaseRequest } from '../spec/request.ts';
import { TimingSchema } from '../base/timing.ts';
import { ReleaseIdentity, ContextArtifact, BuilderConfig } from '../release/identity.ts';
import { attempts, on } from './activity.ts';

export const ResolveInput = ReleaseIdentity.extend({ request: ReleaseRequest });
export type ResolveInput = z.infer<typeof ResolveInput>;

export const ResolveResult = z.object({
  attempts,
  /**
   * The record of the same inputs that is already there in full, when the tag exists: the release ends as `unchanged`.
   */
  unchanged: ReleaseRecord.nullable(),
  context: ContextArtifact,
  /** Digest over bases, context, build arguments, platform (model/release/inputs.ts). */
  imageInputs: Digest,
  /** Every external image of the Containerfile. */
  bases: z.array(PinnedImage),
  /** Null when no disk is asked for. */
  builder: PinnedImage.nullable(),
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
  /** Of the release: the HMAC's secret must list it. */
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

/** What a control worker is asked before a nightly release. */
export const CompareInput = ReleaseIdentity.extend({
  template: NightlyTemplate,
  /** When the run was scheduled, ISO 8601. */
  at: z.string(),
});
export type CompareInput = z.infer<typeof CompareInput>;

export const CompareResult = z.object({
  attempts,
  /** The commit that a git context's ref means now, 40 hexadecimal digits or more; null for a directory. */
  commit: z.string().nullable(),
  /** What a release would make anew: everything, a part beside an image that stands, or nothing. */
  change: z.enum(['image', 'part', 'none']),
  /** In words; for `none`, what it is the same as. */
  reason: z.string(),
  /** Tag of the release it was compared with; null when there is none to compare with. */
  standing: Tag.nullable(),
});
export type CompareResult = z.infer<typeof CompareResult>;

/** Input of the `compareNow` workflow, with which `flightline schedule show` asks what a run would do now. */
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
   * Looks everything mutable up once. Rejects with a `fail` kind for whatever a hold could not keep. Reads only, but
   * for packing a git context.
   */
  resolve: on('control', 'resolve/resolve', ResolveInput, ResolveResult),
  /** The build hosts of an architecture that asked the server for work within its last minutes. */
  hosts: on('control', 'host/hosts', HostsInput, HostsResult),
  /** Posts the document. Fails with `webhook` for what may pass, `webhook-refused` and others for what does not. */
  notify: on('control', 'notify', NotifyInput, NotifyResult),
  /** What a nightly release would make anew. Reads only. */
  compare: on('control', 'resolve/compare', CompareInput, CompareResult),
  /** Cancels a release if it is held. */
  supersede: on('control', 'resolve/supersede', SupersedeInput, SupersedeResult),
};
