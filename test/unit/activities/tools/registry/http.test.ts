/**
 * Requests over TLS and through a proxy. The certificate is made by openssl; where that is missing the tests are
 * skipped.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { HttpError, send } from '../../../../../activities/tools/registry/http.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const limits = { timeout: 5_000, limit: 1_000 };
const servers: Server[] = [];
let origin: string;

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

afterEach(() => {
  vi.unstubAllEnvs();
});
afterAll(() => {
  for (const server of servers) server.close();
});

describe.skipIf(!hasOpenssl)('over TLS', () => {
  let port: number;
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flightline-tls-'));
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert];
    execFileSync('openssl', [...request, '-days', '1', '-subj', '/CN=registry.test'], { stdio: 'ignore' });
    const files = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(directory, { recursive: true });
    port = await listen(createHttps(files, (request_, response) => response.end(`secure ${request_.url}`)));
    origin = `https://127.0.0.1:${port}`;
  });

  test('refuses an unknown certificate, unless told to accept any', async () => {
    const url = new URL('/v2/', origin);
    await expect(send(url, limits)).rejects.toThrow(HttpError);
    const answer = await send(url, { ...limits, insecure: true });
    expect(answer.body.toString()).toBe('secure /v2/');
  });

  test('goes through a proxy with its login, and says what the proxy refused', async () => {
    const asked: (string | undefined)[][] = [];
    let allowed = true;
    const proxy = createHttp((_, response) => response.writeHead(500).end());
    proxy.on('connect', (request, socket) => {
      asked.push([request.url, request.headers['proxy-authorization']]);
      if (!allowed) {
        socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        return;
      }
      const upstream = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
    });
    vi.stubEnv('HTTPS_PROXY', `http://me:pass%3Aword@127.0.0.1:${await listen(proxy)}`);
    vi.stubEnv('NO_PROXY', '');
    const url = new URL('https://registry.test/v2/');
    expect((await send(url, { ...limits, insecure: true })).body.toString()).toBe('secure /v2/');
    const login = `Basic ${Buffer.from('me:pass:word').toString('base64')}`;
    expect(asked).toEqual([['registry.test:443', login]]);
    await expect(send(url, limits)).rejects.toThrow(/certificate|self.signed/);
    allowed = false;
    await expect(send(url, limits)).rejects.toThrow(/the proxy 127\.0\.0\.1:\d+ answered 403/);
  });
});

test('a plain request goes to the proxy whole', async () => {
  const port = await listen(
    createHttp((request, response) => response.end(`${request.url} for ${request.headers.host}`)),
  );
  vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${port}`);
  vi.stubEnv('NO_PROXY', '');
  const answer = await send(new URL('http://registry.test:81/v2/'), limits);
  expect(answer.body.toString()).toBe('http://registry.test:81/v2/ for registry.test:81');
});

test('an answer that does not come, or does not end, is an error', async () => {
  const silent = await listen(createHttp(() => undefined));
  const slow = send(new URL(`http://127.0.0.1:${silent}/`), { ...limits, timeout: 100 });
  await expect(slow).rejects.toMatchObject({
    code: 'TIMEOUT',
    message: expect.stringContaining('within 0.1 s') as string,
  });
  const long = await listen(createHttp((_, response) => response.end('x'.repeat(1_001))));
  await expect(send(new URL(`http://127.0.0.1:${long}/`), limits)).rejects.toMatchObject({ code: 'TOO_LARGE' });
});
