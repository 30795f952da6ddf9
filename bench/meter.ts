/** A proxy to the registry that counts the bytes that are sent there, headers included. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Meter {
  /** `127.0.0.1:PORT`. */
  address: string;
  /** Bytes that were sent to the registry so far. */
  sent(): number;
  stop(): Promise<void>;
}

/** @param registry answers `ADDRESS:PORT` once it is known. */
export async function startMeter(registry: () => string): Promise<Meter> {
  let bytes = 0;
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const [host, port] = registry().split(':');
    const onward = connect(Number(port), host);
    from.on('data', (chunk) => (bytes += chunk.length));
    for (const socket of [from, onward]) {
      open.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => open.delete(socket));
    }
    from.pipe(onward).pipe(from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => bytes,
    stop: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
