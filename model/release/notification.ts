/** Notifications: what webhooks get about a release. */
import { z } from 'zod';
import { FAILURE_KINDS } from '../failure/failures.ts';
import { NOTIFICATION_EVENTS, type NotificationEvent } from '../spec/notify.ts';
import { Digest } from '../oci/reference.ts';
import { UpdateCost } from '../oci/update-cost.ts';
import { RELEASE_STATUSES, type ReleaseStatus } from '../stage/stage.ts';

/** Workflow type of a delivery. It goes on after its release has ended, and never delays it. */
export const NOTIFICATION_WORKFLOW = 'notification';

/** The JSON document that a webhook gets. */
export const Notification = z.object({
  schemaVersion: z.literal(1),
  /** The same for every attempt to deliver it. */
  id: z.string(),
  event: z.enum(NOTIFICATION_EVENTS),
  /** When it happened, ISO 8601, UTC. */
  at: z.string(),
  /** `name` of the spec. */
  name: z.string(),
  /** Workflow id and run id. */
  release: z.string(),
  runId: z.string(),
  /** `repository:tag` */
  reference: z.string(),
  /** Of the image; null until it is in the registry. */
  digest: Digest.nullable(),
  status: z.enum(RELEASE_STATUSES),
  /** What an update costs devices, for each platform, with `devices on v1 fetch 212 MB (3 of 71 layers)` in words. */
  updates: z.array(UpdateCost.extend({ text: z.string() })).optional(),
  /** Platforms that it was asked for and goes on without, each in words with who approved it and why. */
  missing: z.array(z.string()).optional(),
  /** The stage that is held or failed; null when nothing is. */
  stage: z.string().nullable(),
  /** Why, and what to do; null when nothing is held or failed. */
  failure: z
    .object({
      kind: z.enum(FAILURE_KINDS),
      /** At most 1,000 characters of its end. */
      message: z.string(),
      remedy: z.string(),
    })
    .nullable(),
  /** The release's page in the Temporal Web UI; null when the worker configuration has no `webUi`. */
  link: z.string().nullable(),
});
export type Notification = z.infer<typeof Notification>;

/** Headers of a delivery. */
export const NOTIFICATION_HEADERS = {
  event: 'flightline-event',
  /** The document's `id`. */
  delivery: 'flightline-delivery',
  /** When this attempt was signed, in seconds since 1970. */
  timestamp: 'flightline-timestamp',
  /** `sha256=` and the HMAC in hexadecimal digits; only with a secret. */
  signature: 'flightline-signature',
} as const;

/** The text that the HMAC covers: the timestamp, a full stop, and the body as sent. */
export function signedText(timestamp: string, body: string): string {
  return `${timestamp}.${body}`;
}

/** The events of a change of status. Pure. */
export function eventsOf(before: ReleaseStatus, after: ReleaseStatus, wasHeld: boolean): NotificationEvent[] {
  if (before === after) return [];
  if (after === 'released') return wasHeld ? ['released', 'recovered'] : ['released'];
  return after === 'held' || after === 'failed' ? [after] : [];
}
