/** The `notify` activity: tells a webhook about a release. The server retries it. */
import type { ActivityAnswer } from '../model/contract/activities.ts';
import type { ActivityContext, WorkerBody } from './server.ts';
import { FlightlineError } from '../model/failure/failure.ts';
import type { NotifyInput } from '../model/contract/control.ts';
import type { NotifyEntry } from '../model/spec/notify.ts';
import { webUiPage } from '../model/base/web-ui.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { openSecret } from './trust/secrets.ts';
import { HttpError, send } from './tools/registry/http.ts';
import { deliveryOf, verdictOf } from './delivery.ts';

/** Milliseconds for a webhook to answer. */
const ANSWER_WITHIN = 15_000;
/** Bytes of an answer, which is not used. */
const MAX_ANSWER = 256 * 1024;

/** The `notify` activity of control workers. */
async function notify(
  { configuration }: { configuration: WorkerConfiguration },
  { webhook, repository, notification, release, runId }: NotifyInput,
  context: ActivityContext,
): Promise<ActivityAnswer<'notify'>> {
  const { url, hmacSecret } = webhookNamed(configuration, webhook);
  const secret =
    hmacSecret === undefined ? null : (await openSecret(configuration, hmacSecret, [repository])).text.trim();
  const { webUi } = configuration;
  const link = webUi === undefined ? null : webUiPage(webUi, context.server.namespace, release, runId);
  const timestamp = String(Math.floor(Date.now() / 1000));
  const { headers, body } = deliveryOf({ ...notification, link }, secret, timestamp);
  const address = new URL(url);
  const answered = await post(webhook, address, headers, body);
  const verdict = verdictOf(answered);
  if (verdict === 'taken') return { answered };
  const message = `the webhook "${webhook}" (${address.host}) answered ${answered}`;
  if (verdict === 'again') throw new FlightlineError('webhook', message);
  const why = answered < 400 ? `${message}: redirects are not followed` : message;
  throw new FlightlineError('webhook-refused', why);
}

async function post(webhook: string, url: URL, headers: Record<string, string>, body: string): Promise<number> {
  try {
    const { status } = await send(url, { method: 'POST', headers, body, timeout: ANSWER_WITHIN, limit: MAX_ANSWER });
    return status;
  } catch (error) {
    // Name only the host of a URL: its path may be a password, as with chat services.
    if (error instanceof HttpError) throw new FlightlineError('webhook', `the webhook "${webhook}": ${error.message}`);
    throw error;
  }
}

/** The webhook with a name. @throws FlightlineError `webhook-missing` */
function webhookNamed(
  { webhooks }: Pick<WorkerConfiguration, 'webhooks'>,
  name: string,
): WorkerConfiguration['webhooks'][string] {
  const webhook = Object.hasOwn(webhooks, name) ? webhooks[name] : undefined;
  if (webhook) return webhook;
  const known = Object.keys(webhooks).map((other) => `"${other}"`);
  throw new FlightlineError(
    'webhook-missing',
    `the control worker has no webhook "${name}"; it has ${known.join(', ') || 'none'}`,
  );
}

/** Refuses unknown webhooks before anything is built. @throws FlightlineError `webhook-missing` */
export function requireWebhooks(
  configuration: Pick<WorkerConfiguration, 'webhooks'>,
  entries: readonly NotifyEntry[],
): void {
  for (const { webhook } of entries) webhookNamed(configuration, webhook);
}

export default notify satisfies WorkerBody<'notify'>;
