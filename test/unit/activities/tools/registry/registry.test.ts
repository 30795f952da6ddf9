/**
 * The registry client against servers that answer as registries do; real ones are asked in test/e2e/signing.test.ts.
 */
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { proxyFor } from '../../../../../activities/tools/registry/proxy.ts';
import { RegistryAccess } from '../../../../../activities/tools/registry/access.ts';
import { RepositoryClient } from '../../../../../activities/tools/registry/repository.ts';
import { redact } from '../../../../../activities/tools/process/redact.ts';
import { storedLogin, userAuthfiles } from '../../../../../activities/tools/registry/login/authfile.ts';
import { parseChallenges } from '../../../../../activities/tools/registry/login/challenge.ts';
import { loginsIn } from '../../../../../activities/tools/registry/login/login.ts';
import { sha256 } from '../../../../../model/base/digest.ts';

const PASSWORD = 'a-password-for-tests';
const MANIFEST = '{"schemaVersion":2}';
const DIGEST = `sha256:${sha256(MANIFEST)}`;

let directory: string;
let server: Server;
let registry: string;
/** `METHOD path` of each request, with ` +auth` when it was authorized. */
let seen: string[];
/** How the registry answers a request; set by each test. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-registry-'));
  seen = [];
  server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}${request.headers.authorization ? ' +auth' : ''}`);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

async function access(login?: string): Promise<RegistryAccess> {
  const authfile = join(directory, 'auth.json');
  const auth = Buffer.from(`author:${login}`).toString('base64');
  await writeFile(authfile, JSON.stringify({ auths: login === undefined ? {} : { [registry]: { auth } } }));
  return new RegistryAccess({ directory, authfile, registriesDirectory: directory }, () => true);
}

function error(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code, message: `${code} said the registry` }] }));
}

/** Starts storage elsewhere, to which the registry redirects whoever has logged in. */
async function redirectTo(elsewhere: Server): Promise<void> {
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/storage`;
  answer = (request, response) => {
    if (request.headers.authorization) response.writeHead(307, { location }).end();
    else error(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="x"' });
  };
}

/** A registry with a token server that knows one password, and grants what `allowed` says. */
function tokenRegistry(allowed: boolean) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', `http://${registry}`);
    if (url.pathname === '/token') {
      const expected = `Basic ${Buffer.from(`author:${PASSWORD}`).toString('base64')}`;
      if (request.headers.authorization !== expected) return error(response, 401, 'UNAUTHORIZED');
      response.end(JSON.stringify({ token: `${allowed ? 'good' : 'poor'}-${url.searchParams.get('scope')}` }));
      return;
    }
    if (!request.headers.authorization?.startsWith('Bearer good-repository:acme/edge:')) {
      const challenge = `Bearer realm="http://${registry}/token",service="test"`;
      return error(response, 401, 'UNAUTHORIZED', { 'www-authenticate': challenge });
    }
    if (request.method === 'POST') {
      response.writeHead(202, { location: `/v2/acme/edge/blobs/uploads/1?state=x` }).end();
    } else if (request.method === 'DELETE') {
      response.writeHead(204).end();
    } else {
      response.writeHead(200, { 'docker-content-digest': DIGEST, 'content-type': 'application/x; charset=utf-8' });
      response.end(request.method === 'HEAD' ? undefined : MANIFEST);
    }
  };
}

describe('who can pull', () => {
  /** With tokens for everybody, as most registries have them: what is not public is said to be absent, or refused. */
  function sharedRegistry(repositories: Record<string, 'public' | 'private'>, hidden: 404 | 403) {
    return (request: IncomingMessage, response: ServerResponse): void => {
      const url = new URL(request.url ?? '/', `http://${registry}`);
      const who = request.headers.authorization;
      if (url.pathname === '/token') return void response.end(JSON.stringify({ token: who ? 'author' : 'anybody' }));
      const challenge = { 'www-authenticate': `Bearer realm="http://${registry}/token",service="test"` };
      if (!who) return error(response, 401, 'UNAUTHORIZED', challenge);
      const kind = repositories[url.pathname.split('/')[3]!];
      if (kind === 'public' || (kind === 'private' && who === 'Bearer author')) return void response.end('{"tags":[]}');
      if (kind === undefined && who === 'Bearer author') return error(response, 404, 'NAME_UNKNOWN');
      error(response, hidden, hidden === 404 ? 'NAME_UNKNOWN' : 'DENIED');
    };
  }

  test.each([
    ['open', 404, 'public'],
    ['closed', 404, 'private'],
    ['closed', 403, 'private'],
    ['not-yet-there', 404, 'unknown'],
    ['not-yet-there', 403, 'unknown'],
  ] as const)('%s, hidden by %i, is %s', async (name, hidden, exposure) => {
    answer = sharedRegistry({ open: 'public', closed: 'private' }, hidden);
    expect(await (await access(PASSWORD)).repository(`${registry}/acme/${name}`).exposure()).toBe(exposure);
  });

  test.each([429, 500, 503])('is not guessed while the registry answers %i', async (status) => {
    answer = (_, response) => error(response, status, 'BUSY');
    const failure = expect.objectContaining({ kind: 'registry' }) as object;
    const repository = (await access(PASSWORD)).repository(`${registry}/acme/edge`);
    await expect(repository.exposure()).rejects.toMatchObject({ failure });
    await expect(repository.answersAnonymously()).rejects.toMatchObject({ failure });
  });

  test('is unknown where the own login may not look', async () => {
    answer = tokenRegistry(false);
    expect(await (await access(PASSWORD)).repository(`${registry}/acme/edge`).exposure()).toBe('unknown');
  });
});

describe('what is present', () => {
  const digestOf = (text: string) => `sha256:${sha256(text)}`;
  const part = (mediaType: string, text: string) => ({ mediaType, digest: digestOf(text), size: text.length });
  const entry = JSON.stringify({
    schemaVersion: 2,
    config: part('application/vnd.oci.empty.v1+json', '{}'),
    layers: [part('application/vnd.diskimage.vmdk', 'bytes')],
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [part('application/vnd.oci.image.manifest.v1+json', entry)],
  });
  const whole = [index, entry, '{}', 'bytes'];
  const lost = (what: string, text: string) => `the ${what} ${digestOf(text)}`;

  test.each([
    ['nothing', null, null],
    ['the index', index, lost('manifest', index)],
    ['its entry', entry, lost('manifest', entry)],
    ['a configuration', '{}', lost('blob', '{}')],
    ['a layer', 'bytes', lost('blob', 'bytes')],
  ])('is found out down to the blobs: the registry has lost %s', async (_, gone, missing) => {
    answer = ({ url, method }, response) => {
      const text = whole.find((one) => one !== gone && url?.endsWith(digestOf(one)));
      if (text === undefined) return error(response, 404, 'UNKNOWN');
      response.writeHead(200).end(method === 'HEAD' ? undefined : text);
    };
    const repository = (await access()).repository(`${registry}/acme/edge/diskimage-vmdk`);
    expect(await repository.missingPart(digestOf(index))).toBe(missing);
    expect(seen.filter((request) => /^GET .*\/blobs\//.test(request))).toEqual([]);
  });
});

describe('login', () => {
  test('fetches a token once for each scope and keeps it', async () => {
    answer = tokenRegistry(true);
    const own = await access(PASSWORD);
    expect(await own.repository(`${registry}/acme/edge`).headManifest('v1')).toBe(DIGEST);
    expect(await own.repository(`${registry}/acme/edge`).getManifest('v1')).toEqual({
      digest: DIGEST,
      mediaType: 'application/x',
      bytes: Buffer.from(MANIFEST),
    });
    await own.repository(`${registry}/acme/edge`).provePushRight();
    expect(seen).toEqual([
      'HEAD /v2/acme/edge/manifests/v1',
      'GET /token?service=test&scope=repository%3Aacme%2Fedge%3Apull +auth',
      'HEAD /v2/acme/edge/manifests/v1 +auth',
      'GET /v2/acme/edge/manifests/v1 +auth',
      'POST /v2/acme/edge/blobs/uploads/',
      'GET /token?service=test&scope=repository%3Aacme%2Fedge%3Apull%2Cpush +auth',
      'POST /v2/acme/edge/blobs/uploads/ +auth',
      'DELETE /v2/acme/edge/blobs/uploads/1?state=x +auth',
    ]);
    expect(await own.repository(`${registry}/acme/edge`).answersAnonymously()).toBe(false);
  });

  test.each([
    ['registry-login', true, 'not-the-password'],
    ['registry-login', true, undefined],
    ['registry-denied', false, PASSWORD],
  ])('fails as %s', async (kind, allowed, login) => {
    answer = tokenRegistry(allowed);
    const failing = (await access(login)).repository(`${registry}/acme/edge`).provePushRight();
    const failure = await failing.then(
      () => undefined,
      (thrown: { failure: unknown }) => thrown.failure,
    );
    expect(failure).toMatchObject({ kind });
    expect(JSON.stringify(failure)).not.toMatch(/not-the-password|a-password-for-tests/);
  });

  test('asks for another token when the one that was granted is refused', async () => {
    const registryAnswers = tokenRegistry(true);
    let refusals = 1;
    answer = (request, response) => {
      if (request.headers.authorization?.startsWith('Bearer good') && refusals-- > 0) {
        return error(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Bearer error="invalid_token"' });
      }
      registryAnswers(request, response);
    };
    expect(await (await access(PASSWORD)).repository(`${registry}/acme/edge`).headManifest('v1')).toBe(DIGEST);
    expect(seen.filter((request) => request.startsWith('GET /token'))).toHaveLength(2);
  });

  test('a registry that is not marked insecure is never asked in the clear', async () => {
    answer = tokenRegistry(true);
    const { authfile } = await access(PASSWORD);
    const own = new RepositoryClient(`${registry}/acme/edge`, {
      authfile,
      protocols: new Map(),
      insecure: () => false,
    });
    await expect(own.headManifest('v1')).rejects.toMatchObject({
      failure: { kind: 'registry' },
    });
    expect(seen).toEqual([]);
  });
});

describe('answers', () => {
  test.each([429, 503])('are waited for when a registry answers %i and says how long', async (status) => {
    let busy = 1;
    let asked = 0;
    let waited = 0;
    answer = (_request, response) => {
      if (busy-- > 0) {
        asked = performance.now();
        return error(response, status, 'TOOMANYREQUESTS', { 'retry-after': '1' });
      }
      waited = performance.now() - asked;
      response.writeHead(200, { 'docker-content-digest': DIGEST }).end();
    };
    expect(await (await access()).repository(`${registry}/acme/edge`).headManifest('v1')).toBe(DIGEST);
    expect(waited).toBeGreaterThan(900);
  });

  test('are not waited for when a registry asks for more patience than a stage has', async () => {
    answer = (_request, response) => error(response, 429, 'TOOMANYREQUESTS', { 'retry-after': '3600' });
    await expect((await access()).repository(`${registry}/acme/edge`).headManifest('v1')).rejects.toMatchObject({
      failure: { kind: 'registry' },
    });
    expect(seen).toHaveLength(1);
  });

  test.each([
    [403, 'registry-denied'],
    [429, 'registry'],
    [500, 'registry'],
    [503, 'registry'],
  ])('%i is %s', async (status, kind) => {
    answer = (_, response) => error(response, status, 'WHATEVER');
    await expect((await access()).repository(`${registry}/a/b`).getManifest('v1')).rejects.toMatchObject({
      failure: { kind },
    });
  });

  test('404 is null, and no right to push where no repository is made', async () => {
    answer = (_, response) => error(response, 404, 'NAME_UNKNOWN');
    const own = await access();
    expect(await own.repository(`${registry}/a/b`).headManifest('v1')).toBeNull();
    expect(await own.repository(`${registry}/a/b`).getManifest('v1')).toBeNull();
    expect(await own.repository(`${registry}/a/b`).getBlob(DIGEST, 100)).toBeNull();
    expect(await own.repository(`${registry}/a/b`).answersAnonymously()).toBe(true);
    await expect(own.repository(`${registry}/a/b`).provePushRight()).rejects.toMatchObject({
      failure: { kind: 'registry-denied' },
    });
  });

  test('a digest is computed where the registry names none, and a wrong one is refused', async () => {
    answer = (_, response) => response.end(MANIFEST);
    const own = await access();
    expect(await own.repository(`${registry}/a/b`).headManifest('v1')).toBe(DIGEST);
    const other = `sha256:${'0'.repeat(64)}`;
    await expect(own.repository(`${registry}/a/b`).getManifest(other)).rejects.toThrow(
      `has the digest ${DIGEST}, not ${other}`,
    );
    await expect(own.repository(`${registry}/a/b`).getBlob(other, 100)).rejects.toThrow('arrived damaged');
    expect(await own.repository(`${registry}/a/b`).getBlob(DIGEST, 100)).toEqual(Buffer.from(MANIFEST));
    await expect(own.repository(`${registry}/a/b`).getBlob(DIGEST, 3)).rejects.toMatchObject({
      failure: { kind: 'registry' },
    });
  });

  test('a redirect is followed without the token', async () => {
    const elsewhere = createServer((request, response) => {
      response.end(request.headers.authorization ? 'leaked' : MANIFEST);
    });
    await redirectTo(elsewhere);
    try {
      const blob = await (await access(PASSWORD)).repository(`${registry}/a/b`).getBlob(DIGEST, 100);
      expect(blob?.toString()).toBe(MANIFEST);
    } finally {
      elsewhere.close();
    }
  });

  test('storage behind a redirect gets no token, is asked for no login, and denies no right', async () => {
    const asked: string[] = [];
    let denies = 0;
    const elsewhere = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}${request.headers.authorization ? ' +auth' : ''}`);
      if (request.url === '/token') return void response.end('{"token":"theirs"}');
      if (denies > 0) {
        const realm = `http://${request.headers.host}/token`;
        return error(response, denies, 'EXPIRED', { 'www-authenticate': `Bearer realm="${realm}"` });
      }
      response.writeHead(200, { link: '</next>; rel="next"' }).end('{"tags":["v1"]}');
    });
    await redirectTo(elsewhere);
    try {
      const own = (await access(PASSWORD)).repository(`${registry}/a/b`);
      await expect(own.listTags()).rejects.toThrow('without an end');
      for (denies of [401, 403]) {
        await expect(own.getBlob(DIGEST, 100)).rejects.toMatchObject({ failure: { kind: 'registry' } });
      }
      expect(asked.filter((request) => request.includes('+auth') || request.includes('token'))).toEqual([]);
    } finally {
      elsewhere.close();
    }
  });

  test.each(['http://[', 'ftp://127.0.0.1/x'])('no redirect leads to %s', async (location) => {
    answer = (_, response) => response.writeHead(307, { location }).end();
    const own = (await access()).repository(`${registry}/a/b`);
    await expect(own.headManifest('v1')).rejects.toMatchObject({
      failure: { kind: 'registry', message: expect.stringMatching(/redirects to (no address|ftp:)/) },
    });
  });

  test('a registry that is not there is a passing failure', async () => {
    const own = await access();
    server.close();
    await expect(own.repository(`${registry}/a/b`).headManifest('v1')).rejects.toMatchObject({
      failure: { kind: 'registry', message: expect.stringContaining('ECONNREFUSED') as string },
    });
  });
});

test.each([
  [
    'Bearer realm="https://a/token",service="r",scope="x:y:pull,push"',
    [{ scheme: 'bearer', parameters: { realm: 'https://a/token', service: 'r', scope: 'x:y:pull,push' } }],
  ],
  ['Basic realm="a \\"b\\""', [{ scheme: 'basic', parameters: { realm: 'a "b"' } }]],
  [
    'Negotiate, Basic realm=x, Bearer realm="https://e/t",error="invalid_token"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x' } },
      { scheme: 'bearer', parameters: { realm: 'https://e/t', error: 'invalid_token' } },
    ],
  ],
  ['', []],
])('parseChallenges(%j)', (header, expected) => {
  expect(parseChallenges(header)).toEqual(expected);
});

describe('authfiles', () => {
  const auth = (name: string) => ({ auth: Buffer.from(`${name}:secret`).toString('base64') });
  const authfile = {
    auths: {
      'quay.io': auth('registry'),
      'quay.io/acme': auth('organization'),
      'https://index.docker.io/v1/': auth('hub'),
      'token.example': { identitytoken: 'long' },
      'broken.example': { auth: '???' },
    },
    credHelpers: {},
  };

  test.each([
    ['quay.io/acme/edge', { kind: 'password', username: 'organization', password: 'secret' }],
    ['quay.io/acmes/edge', { kind: 'password', username: 'registry', password: 'secret' }],
    ['docker.io/library/debian', { kind: 'password', username: 'hub', password: 'secret' }],
    ['token.example/a', { kind: 'token', token: 'long' }],
    ['broken.example/a', undefined],
    ['other.example/a', undefined],
  ])('%s', (repository, login) => {
    expect(storedLogin(authfile, repository)).toEqual(login);
  });

  test('docker writes them for workers too: old names, padding, tokens, and programs that are asked', async () => {
    const before = process.env['PATH'];
    try {
      const helper = join(directory, 'docker-credential-vault');
      const told = JSON.stringify({ Username: 'robot', Secret: 'secret-of-the-vault' });
      await writeFile(helper, `#!/bin/sh\nread server; test "$server" = vault.example && echo '${told}'\n`);
      await chmod(helper, 0o755);
      process.env['PATH'] = `${directory}:${before}`;
      const file = join(directory, 'config.json');
      // Too short for its base64 to be known wherever it stands: the entry is known as it is written.
      const padded = Buffer.from('bob:pw-1\0\0').toString('base64');
      await writeFile(
        file,
        JSON.stringify({
          auths: {
            'https://index.docker.io/v1/': { auth: padded },
            'token.example': { identitytoken: 'a-long-token' },
            'vault.example': {},
          },
          credHelpers: { 'vault.example': 'vault' },
        }),
      );
      const base64 = (text: string) => Buffer.from(text).toString('base64');
      expect(await loginsIn(file, 'docker.io/library/debian')).toEqual({
        'docker.io': { auth: base64('bob:pw-1') },
      });
      expect(await loginsIn(file, 'token.example/a')).toEqual({ 'token.example': { identitytoken: 'a-long-token' } });
      expect(await loginsIn(file, 'vault.example/a')).toEqual({
        'vault.example': { auth: base64('robot:secret-of-the-vault') },
      });
      expect(await loginsIn(file, 'other.example/a')).toEqual({});
      const said = `pw-1 a-long-token secret-of-the-vault ${base64('robot:secret-of-the-vault')} ${padded}`;
      expect(redact(said).replaceAll('[secret]', '').trim()).toBe('');
    } finally {
      process.env['PATH'] = before;
    }
  });

  test("a user's own are looked for where podman and docker keep them", () => {
    expect(userAuthfiles({ REGISTRY_AUTH_FILE: '/a' })).toEqual(['/a']);
    expect(userAuthfiles({ XDG_RUNTIME_DIR: '/run/user/1', HOME: '/home/a' })).toEqual([
      '/run/user/1/containers/auth.json',
      '/home/a/.config/containers/auth.json',
      '/home/a/.docker/config.json',
    ]);
  });
});

test.each([
  ['https://quay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128/'],
  ['https://quay.io/v2/', { https_proxy: 'proxy:3128' }, 'http://proxy:3128/'],
  ['http://quay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128' }, undefined],
  ['https://quay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'example.org,.quay.io' }, undefined],
  ['https://cdn.quay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'quay.io' }, undefined],
  ['https://notquay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'quay.io' }, 'http://proxy:3128/'],
  ['https://quay.io:8443/v2/', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'quay.io:443' }, 'http://proxy:3128/'],
  ['https://127.0.0.1:5000/v2/', { HTTPS_PROXY: 'http://proxy:3128' }, undefined],
  ['https://quay.io/v2/', { HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: '*' }, undefined],
  ['https://quay.io/v2/', {}, undefined],
])('proxyFor(%s, %j)', (url, environment, expected) => {
  expect(proxyFor(new URL(url), environment as Record<string, string>)?.href).toBe(expected);
});
