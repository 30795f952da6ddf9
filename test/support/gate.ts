/** A line of a Containerfile at which a build waits until the test lets it go on. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { processesNaming } from './second-host.ts';

export interface Gate {
  /** A `RUN` that ends once the gate is open. */
  line: string;
  /** `true` once a build waits at it. */
  isReached(): Promise<boolean>;
  open(): Promise<void>;
  close(): void;
}

/** Makes one that is closed: a port of this machine on which nobody listens yet. */
export async function closedGate(): Promise<Gate> {
  const server = createServer((socket) => socket.on('error', () => undefined).end());
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  server.close();
  await once(server, 'close');
  const knock = `until (: </dev/tcp/127.0.0.1/${port}) 2>/dev/null; do sleep 0.2; done`;
  return {
    line: `RUN --network=host bash -c '${knock}'`,
    isReached: async () => (await processesNaming([`/dev/tcp/127.0.0.1/${port})`])).length > 0,
    open: async () => void (await listen(port)),
    close: () => void server.close(),
  };
}
