/** The request to a webhook, and the meaning of its answer. Pure. */
import { createHmac } from 'node:crypto';
import { NOTIFICATION_HEADERS, signedText, type Notification } from '../model/release/notification.ts';

/** The request. Its HMAC-SHA256 covers timestamp and body. Pure. */
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
 * The meaning of an answer. A server error, a time-out and "too many requests" may pass; other errors do not. Pure.
 */
export function verdictOf(status: number): 'taken' | 'again' | 'refused' {
  if (status >= 200 && status < 300) return 'taken';
  return status >= 500 || status === 408 || status === 429 ? 'again' : 'refused';
}
