/** The request that tells a webhook, and what its answer means. Pure. */
import { createHmac } from 'node:crypto';
import { NOTIFICATION_HEADERS, signedText, type Notification } from '../model/release/notification.ts';

/** The request that tells it: the HMAC-SHA256 is over timestamp and body. Pure. */
export function deliveryOf(
  notification: Notification,
  secret: string | null,
  timestamp: string,
): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(notification);
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    [NOTIFICATION_HEADERS.event]: notification.event,
    [NOTIFICATION_HEADERS.delivery]: notification.id,
    [NOTIFICATION_HEADERS.timestamp]: timestamp,
  };
  if (secret !== null) {
    const digest = createHmac('sha256', secret).update(signedText(timestamp, body)).digest('hex');
    headers[NOTIFICATION_HEADERS.signature] = `sha256=${digest}`;
  }
  return { headers, body };
}

/**
 * What an answer means: a server's own trouble, a time-out and "too many requests" may pass; whatever else does not.
 * Pure.
 */
export function verdictOf(status: number): 'taken' | 'again' | 'refused' {
  if (status >= 200 && status < 300) return 'taken';
  return status >= 500 || status === 408 || status === 429 ? 'again' : 'refused';
}
