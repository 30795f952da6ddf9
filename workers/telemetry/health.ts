/** Says whether this process lives, and whether it works, to what supervises it: `/healthz` and `/readyz`. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FlightlineError } from '../../model/failure/failure.ts';
import { ListenAddress } from '../../model/spec/worker-configuration.ts';

/** Where a worker says how it is, and how to end that. */
interface OfferedHealth {
  /** `http://IP:PORT`. */
  url: string;
  close: () => Promise<void>;
}

/**
 * Offers `/healthz`, which answers 200 while the process lives, and `/readyz`: 200 while it polls its task queues and
 * Temporal answers, else 503 with the reason.
 *
 * @param listen `IP:PORT`
 * @param notReady why it does not work now; null when it does
 * @throws FlightlineError `invalid-input` for a malformed address, `host-setup` when it cannot be bound
 */
export async function offerHealth(listen: string, notReady: () => Promise<string | null>): Promise<OfferedHealth> {
  const address = ListenAddress.safeParse(listen);
  if (!address.success) throw new FlightlineError('invalid-input', `"${listen}" ${address.error.issues[0]!.message}`);
  const server = createServer((request, response) => {
    const answer = (status: number, text: string) => {
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
    };
    if (request.url === '/healthz') return answer(200, 'ok');
    if (request.url !== '/readyz') return answer(404, 'there are /healthz and /readyz');
    notReady().then(
      (reason) => answer(reason === null ? 200 : 503, reason ?? 'ok'),
      (error: unknown) => answer(503, (error as Error).message),
    );
  });
  const port = listen.slice(listen.lastIndexOf(':') + 1);
  const ip = listen.slice(0, -port.length - 1);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new FlightlineError('host-setup', `health cannot be offered at ${listen}: ${error.message}`, {
          remedy: 'end what listens there, or name another port under `health.listen` in the worker configuration',
        }),
      );
    });
    server.listen(Number(port), ip.replace(/^\[|\]$/g, ''), resolve);
  });
  return {
    url: `http://${ip}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
