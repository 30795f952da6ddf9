/** `notify` of the spec and the request: which webhook gets which events. */
import { z } from 'zod';

/** Events. `recovered` comes besides `released` when a release had been held. */
export const NOTIFICATION_EVENTS = ['held', 'failed', 'released', 'recovered'] as const;
export type NotificationEvent = (typeof NOTIFICATION_EVENTS)[number];

/** Name of a webhook in the control worker's configuration. */
export const WebhookName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is the name of a webhook of the worker configuration');

/** Which webhook gets which events: `notify` of the spec and of the request. */
export const NotifyEntry = z.strictObject({
  webhook: WebhookName.describe("name of a webhook of the control worker's configuration"),
  on: z
    .array(z.enum(NOTIFICATION_EVENTS))
    .min(1)
    .default([...NOTIFICATION_EVENTS])
    .describe('what is told'),
});
export type NotifyEntry = z.infer<typeof NotifyEntry>;
