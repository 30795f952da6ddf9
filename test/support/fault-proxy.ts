/** An HTTP proxy in front of a registry, which causes faults on request. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What happens to a request. */
export type Misfortune =
  /** It is answered with this status and never reaches the registry. */
  | { status: number }
  /** The connection is cut after so many bytes of the request's body. */
  | { cutAfter: number }
  /** It waits until the fault is lifted. */
  | 'stall';

/** Which requests a fault hits. */
export interface FaultRule {
  method?: string;
  /** Of the path with its query. */
  path: RegExp;
  what: Misfortune;
  /** How often; by default until it is lifted. */
  times?: number;
}

export interface Fault {
  /** Requests that were hit. */
  readonly hits: number;
  lift(): void;
}

export interface FaultProxy {
  /** `127.0.0.1:PORT`: names of images that pass through the proxy begin so. */
  address: string;
  inject(rule: FaultRule): Fault;
  stop(): Promise<void>;
}

interface Injected extends FaultRule {
  hits: number;
  lifted: Promise<void>;
}

/**
 * Starts a proxy on a free port. The Host header is passed on, so that the registry's redirects lead back through it.
 */
export async function startFaultProxy(registry: () => string): Promise<FaultProxy> {
  const rules = new Set<Injected>();
  const forward = (from: IncomingMessage, to: ServerResponse, cutAfter?: number) => {
    const [hostname, port] = registry().split(':');
    const onward = request({ hostname, port, method: from.method, path: from.url, headers: from.headers });
    onward.on('response', (answer) => {
      to.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(to);
    });
    onward.on('error', () => to.destroy());
    to.on('close', () => onward.destroy());
    let passed = 0;
    if (cutAfter !== undefined) {
      from.on('data', (chunk: Buffer) => {
        passed += chunk.length;
        if (passed < cutAfter) return;
        onward.destroy();
        from.socket.resetAndDestroy();
      });
    }
    from.pipe(onward);
  };
  const server = createServer((from, to) => {
    const rule = [...rules].find(
      ({ method, path, times, hits }) =>
        (method === undefined || method === from.method) &&
        path.test(from.url!) &&
        (times === undefined || hits < times),
    );
    if (!rule) return forward(from, to);
    rule.hits += 1;
    if (rule.what === 'stall') return void rule.lifted.then(() => forward(from, to));
    if ('cutAfter' in rule.what) return forward(from, to, rule.what.cutAfter);
    from.resume();
    to.writeHead(rule.what.status, { 'content-type': 'text/plain' });
    to.end('injected by a test');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    inject: (rule) => {
      let lift: () => void = () => undefined;
      const injected: Injected = { ...rule, hits: 0, lifted: new Promise((resolve) => (lift = resolve)) };
      rules.add(injected);
      return {
        get hits() {
          return injected.hits;
        },
        lift: () => {
          rules.delete(injected);
          lift();
        },
      };
    },
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
