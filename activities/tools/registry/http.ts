/**
 * One HTTP request with a deadline and a limit on the answer's size. It uses node:http, since fetch in Node 20 can
 * neither accept an unverified certificate nor use a proxy, and registries need both.
 */
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as tlsConnect } from 'node:tls';
import { currentTask } from '../process/task.ts';
import { proxyFor } from './proxy.ts';

export interface HttpRequest {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** `true` accepts any certificate. */
  insecure?: boolean;
  /** Milliseconds for the whole exchange. */
  timeout: number;
  /** Bytes of the answer's body; a longer answer is an error. */
  limit: number;
}

export interface HttpResponse {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * The server could not be reached, did not answer in time, or answered too much. The message names host and cause, and
 * has no secret.
 */
export class HttpError extends Error {
  /** Node's error code, such as `ECONNREFUSED`; `TIMEOUT`; `TOO_LARGE`. */
  readonly code: string;
  constructor(url: URL, code: string, cause: string) {
    super(`${url.protocol}//${url.host}: ${cause}`);
    this.name = 'HttpError';
    this.code = code;
  }
}

/**
 * Sends one request. Does not follow redirects. Throws the cancellation in a cancelled stage.
 *
 * @throws HttpError
 */
export async function send(url: URL, request: HttpRequest): Promise<HttpResponse> {
  const stage = currentTask();
  stage?.throwIfCancelled();
  const deadline = AbortSignal.timeout(request.timeout);
  const signal = stage ? AbortSignal.any([stage.signal, deadline]) : deadline;
  try {
    return await exchange(url, request, signal);
  } catch (error) {
    stage?.throwIfCancelled();
    if (error instanceof HttpError) throw error;
    if (deadline.aborted) throw new HttpError(url, 'TIMEOUT', `no answer within ${request.timeout / 1000} s`);
    const { code, message } = firstCause(error);
    throw new HttpError(url, code, message);
  }
}

async function exchange(url: URL, request: HttpRequest, signal: AbortSignal): Promise<HttpResponse> {
  const secure = url.protocol === 'https:';
  const proxy = proxyFor(url, process.env);
  const options: RequestOptions = {
    method: request.method ?? 'GET',
    headers: { 'user-agent': 'flightline', ...request.headers },
    signal,
    ...(secure && { rejectUnauthorized: !request.insecure }),
    // No connection is kept: a worker would otherwise hold one to every registry it ever spoke to.
    agent: false,
  };
  if (proxy) Object.assign(options, await throughProxy(url, proxy, request, signal));
  return new Promise((resolve, reject) => {
    const outgoing = (secure ? httpsRequest : httpRequest)(url, options, (incoming) => {
      collect(url, incoming, request.limit).then(resolve, reject);
    });
    outgoing.on('error', reject);
    outgoing.end(request.body);
  });
}

async function collect(url: URL, incoming: IncomingMessage, limit: number): Promise<HttpResponse> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      incoming.destroy();
      throw new HttpError(url, 'TOO_LARGE', `answered more than ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) };
}

/** Options for a request through a proxy: CONNECT for https, the absolute address for http. */
async function throughProxy(
  url: URL,
  proxy: URL,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<Partial<RequestOptions>> {
  const [name, password] = [proxy.username, proxy.password].map(decodeURIComponent);
  const login = proxy.username
    ? {
        'proxy-authorization': `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
      }
    : {};
  const address = { hostname: proxy.hostname.replace(/^\[|\]$/g, ''), port: proxy.port || 80 };
  if (url.protocol === 'http:') {
    return {
      ...address,
      path: url.href,
      headers: { 'user-agent': 'flightline', ...request.headers, host: url.host, ...login },
    };
  }
  const target = `${url.hostname}:${url.port || 443}`;
  return new Promise((resolve, reject) => {
    const tunnel = httpRequest({
      ...address,
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...login },
      signal,
    });
    tunnel.on('error', reject);
    tunnel.on('response', (response) => {
      response.destroy();
      reject(new HttpError(url, 'PROXY', `the proxy ${proxy.host} answered ${response.statusCode}`));
    });
    tunnel.on('connect', (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        reject(new HttpError(url, 'PROXY', `the proxy ${proxy.host} answered ${response.statusCode}`));
        return;
      }
      resolve({
        // Node asks `createConnection` only when no agent is named.
        agent: undefined,
        createConnection: () => tlsConnect({ socket, servername: url.hostname, rejectUnauthorized: !request.insecure }),
      });
    });
    tunnel.end();
  });
}

/** Node wraps the errors of several addresses in an error without a message. */
function firstCause(error: unknown): { code: string; message: string } {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  if (!(inner instanceof Error)) return { code: 'UNKNOWN', message: String(inner) };
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : 'UNKNOWN';
  return { code, message: inner.message || code };
}
