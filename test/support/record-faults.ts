/**
 * Records what skopeo and podman print under each fault of a registry, by running them against a real one behind a
 * proxy that brings the faults about. The output is the fixture of the test of the kinds of failure:
 *
 *     npx tsx test/support/record-faults.ts
 *
 * Needs docker-registry, skopeo and podman, and root for podman's storage, which is one of its own.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse, request } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { startOwnRegistry } from './own-registry.ts';
import { digestOf } from './registry.ts';

const FIXTURE = new URL('../unit/activities/tools/registry/faults.json', import.meta.url);
/** Time for one command (ms): both try some faults again and again. */
const PATIENCE = 150_000;

/** What happens to the requests of a place: to `times` of them, or to all. */
interface Fault {
  name: string;
  times?: number;
  answer: (from: IncomingMessage, to: ServerResponse, pass: (cutAfter?: number) => void) => void;
}

const status =
  (code: number, body = '', headers: Record<string, string> = {}) =>
  (from: IncomingMessage, to: ServerResponse) => {
    from.resume();
    to.writeHead(code, { 'content-type': 'application/json', ...headers });
    to.end(body);
  };
const errors = (code: string) => JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
const challenge = (address: string) => ({
  'www-authenticate': `Bearer realm="http://${address}/token",service="registry",error="invalid_token"`,
});

/** The faults that an address can have. `address` is the proxy's own, which gives tokens, too. */
const faultsAt = (address: string): Fault[] => [
  ...[429, 500, 502, 503].map((code) => ({ name: String(code), answer: status(code) })),
  { name: '401', answer: status(401, errors('UNAUTHORIZED'), challenge(address)) },
  { name: '401 once', times: 1, answer: status(401, errors('UNAUTHORIZED'), challenge(address)) },
  { name: '401 without a challenge', answer: status(401) },
  { name: '403', answer: status(403, errors('DENIED')) },
  { name: 'reset', answer: (from) => from.socket.resetAndDestroy() },
  { name: 'truncated', answer: (_, __, pass) => pass(100) },
];

/** Where a fault may hit an operation. */
const PLACES = {
  ping: /^(?:GET|HEAD) \/v2\/$/,
  '.sig': /^(?:GET|HEAD) \/v2\/\S+\/manifests\/sha256-[0-9a-f]+\.sig$/,
  manifest: /^(?:GET|HEAD) \/v2\/\S+\/manifests\/(?:sha256:|v1)/,
  blob: /^(?:GET|HEAD) \/v2\/\S+\/blobs\/sha256:/,
  upload: /^(?:POST|PATCH|PUT) \/v2\/\S+\/blobs\/uploads\//,
  'end of an upload': /^(?:PATCH|PUT) \/v2\/\S+\/blobs\/uploads\//,
  'new manifest': /^PUT \/v2\/\S+\/manifests\//,
};
type Place = keyof typeof PLACES;

/** A recorded run. */
interface Recorded {
  program: 'skopeo' | 'podman';
  operation: string;
  place: string;
  fault: string;
  exitCode: number;
  output: string;
}

const directory = await mkdtemp(join(tmpdir(), 'flightline-faults-'));
const registry = await startOwnRegistry();

/** A proxy with one fault at one place, or with none. */
async function startProxy(find: (address: string) => { place: Place; fault: Fault } | undefined) {
  let hits = 0;
  let address = '';
  const server = createServer((from, to) => {
    if (from.url!.startsWith('/token')) return status(200, JSON.stringify({ token: 'granted' }))(from, to);
    const pass = (cutAfter?: number) => {
      const [hostname, port] = registry.address.split(':');
      const headers = { ...from.headers };
      delete headers.authorization;
      const onward = request({ hostname, port, method: from.method, path: from.url, headers }, (answer) => {
        to.writeHead(answer.statusCode!, answer.headers);
        if (cutAfter === undefined) return void answer.pipe(to);
        answer.once('data', (chunk: Buffer) => to.write(chunk.subarray(0, cutAfter), () => from.socket.destroy()));
        answer.once('end', () => from.socket.destroy());
      });
      onward.on('error', () => to.destroy());
      from.pipe(onward);
    };
    const rule = find(address);
    const isHit = rule && PLACES[rule.place].test(`${from.method} ${from.url!.split('?')[0]}`);
    if (!isHit || (rule.fault.times !== undefined && hits >= rule.fault.times)) return pass();
    hits += 1;
    rule.fault.answer(from, to, pass);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    hits: () => hits,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

// ── what is run ──────────────────────────────────────────────────────────────────────────────────────────────────────

const at = (name: string) => join(directory, name);
await mkdir(at('registries.d'));
await writeFile(at('registries.d/default.yaml'), 'default-docker:\n  use-sigstore-attachments: true\n');
await writeFile(at('passphrase'), 'secret\n');
const skopeo = (...args: string[]) => execFileSync('skopeo', args, { stdio: 'pipe' });
skopeo('generate-sigstore-key', '--output-prefix', at('key'), '--passphrase-file', at('passphrase'));
await writeFile(at('auth.json'), JSON.stringify({ auths: { '127.0.0.1': { auth: 'YTpi' } } }));
const podmanStorage = ['--root', at('storage'), '--runroot', at('run'), '--storage-driver', 'vfs'];
await writeFile(at('file'), 'x'.repeat(300_000));
await writeFile(at('Containerfile'), 'FROM scratch\nCOPY file /file\n');
const podman = (...args: string[]) => execFileSync('podman', [...podmanStorage, ...args], { stdio: 'pipe' }).toString();
podman('build', '--quiet', '--tag', 'localhost/faults:1', directory);
const image = podman('image', 'inspect', '--format', '{{.Id}}', 'localhost/faults:1').trim();
podman('push', '--quiet', '--tls-verify=false', 'localhost/faults:1', `docker://${registry.address}/acme/os:v1`);
podman('save', '--quiet', '--format', 'oci-dir', '--output', at('layout'), 'localhost/faults:1');
const digest = (await digestOf(`${registry.address}/acme/os:v1`))!;
const common = ['--registries.d', at('registries.d'), 'copy', '--all', '--preserve-digests', '--src-tls-verify=false'];
const signing = ['--sign-by-sigstore-private-key', at('key.private'), '--sign-passphrase-file', at('passphrase')];
const plain = '--dest-tls-verify=false';
const atRegistry = (address: string, name = `os@${digest}`) => `docker://${address}/acme/${name}`;
skopeo(
  '--insecure-policy',
  ...common,
  plain,
  ...signing,
  '--sign-identity',
  `${registry.address}/acme/os:v1`,
  atRegistry(registry.address),
  atRegistry(registry.address),
);

interface Operation {
  program: Recorded['program'];
  name: string;
  places: readonly Place[];
  args: (address: string, which: number) => Promise<string[]>;
}

const policy = async (address: string) => {
  const entry = {
    type: 'sigstoreSigned',
    keyPath: at('key.pub'),
    signedIdentity: { type: 'remapIdentity', prefix: address, signedPrefix: registry.address },
  };
  const file = at(`policy-${address.replace(':', '-')}.json`);
  await writeFile(
    file,
    JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { [address]: [entry] } } }),
  );
  return file;
};

const OPERATIONS: readonly Operation[] = [
  {
    program: 'skopeo',
    name: 'verify',
    places: ['ping', '.sig', 'manifest', 'blob', 'new manifest'],
    args: async (address) => [
      '--policy',
      await policy(address),
      ...common,
      '--remove-signatures',
      plain,
      atRegistry(address),
      atRegistry(address),
    ],
  },
  {
    program: 'skopeo',
    name: 'sign',
    places: ['.sig', 'upload', 'new manifest'],
    args: async (address, which) => [
      '--insecure-policy',
      ...common,
      plain,
      ...signing,
      '--sign-identity',
      `${address}/acme/os:s${which}`,
      atRegistry(address),
      atRegistry(address),
    ],
  },
  {
    program: 'skopeo',
    name: 'push',
    places: ['ping', 'blob', 'upload', 'end of an upload', 'new manifest'],
    args: async (address, which) => [
      '--insecure-policy',
      ...common,
      '--remove-signatures',
      plain,
      `oci:${at('layout')}`,
      atRegistry(address, `pushed-${which}@${digest}`),
    ],
  },
  {
    program: 'podman',
    name: 'pull',
    places: ['ping', 'manifest', 'blob'],
    args: async (address, which) => [
      '--root',
      at(`storage-${which}`),
      '--runroot',
      at(`run-${which}`),
      '--storage-driver',
      'vfs',
      'pull',
      '--quiet',
      '--tls-verify=false',
      `${address}/acme/os@${digest}`,
    ],
  },
  {
    program: 'podman',
    name: 'push',
    places: ['blob', 'upload', 'end of an upload', 'new manifest'],
    args: async (address, which) => [
      ...podmanStorage,
      'push',
      '--tls-verify=false',
      image,
      `docker://${address}/acme/podman-${which}@@unknown-digest@@`,
    ],
  },
];

/** Runs, and leaves out what differs each time: addresses, times, paths. */
async function record(
  operation: Operation,
  args: readonly string[],
  facts: { place: string; fault: string },
): Promise<Recorded> {
  const result = await execa(operation.program, [...args], {
    reject: false,
    timeout: PATIENCE,
    env: { REGISTRY_AUTH_FILE: at('auth.json'), PODMAN_IGNORE_CGROUPSV1_WARNING: '1' },
  });
  const output = `${result.stderr}\n${result.stdout}`
    .replaceAll(directory, '/tmp/faults')
    .replace(/127\.0\.0\.1:\d+(?=->)/g, '127.0.0.1:40000')
    .replace(/127\.0\.0\.1:(?!40000)\d{2,5}/g, '127.0.0.1:5000')
    .replace(/time="[^"]*"/g, 'time="…"')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'UUID')
    .replace(/_state=[^"&\s\\]*/g, '_state=…')
    .trim()
    .slice(-2_000);
  return { program: operation.program, operation: operation.name, ...facts, exitCode: result.exitCode ?? -1, output };
}

async function withFault(operation: Operation, place: Place, which: number, index: number): Promise<Recorded | null> {
  const proxy = await startProxy((address) => ({ place, fault: faultsAt(address)[index]! }));
  try {
    const fault = faultsAt(proxy.address)[index]!.name;
    const recorded = await record(operation, await operation.args(proxy.address, which), { place, fault });
    return proxy.hits() > 0 ? recorded : null;
  } finally {
    proxy.stop();
  }
}

/** What is wrong before any request arrives. */
async function unreachable(operation: Operation): Promise<Recorded[]> {
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      at('tls.key'),
      '-out',
      at('tls.crt'),
      '-subj',
      '/CN=other',
      '-days',
      '2',
    ],
    { stdio: 'pipe' },
  );
  const { readFile } = await import('node:fs/promises');
  const secure = createSecureServer({ key: await readFile(at('tls.key')), cert: await readFile(at('tls.crt')) });
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  const silent = createServer(() => undefined);
  try {
    const strictly = (args: readonly string[]) => args.map((arg) => arg.replace('tls-verify=false', 'tls-verify=true'));
    const tls = `127.0.0.1:${(secure.address() as AddressInfo).port}`;
    return [
      await record(operation, await operation.args('127.0.0.1:1', 9_000), { place: 'any', fault: 'refused' }),
      await record(operation, await operation.args('registry.invalid:5000', 9_001), {
        place: 'any',
        fault: 'unknown host',
      }),
      await record(operation, strictly(await operation.args(tls, 9_002)), { place: 'any', fault: 'unknown authority' }),
    ];
  } finally {
    secure.close();
    silent.close();
  }
}

try {
  const runs: (() => Promise<Recorded | Recorded[] | null>)[] = [];
  for (const operation of OPERATIONS) {
    runs.push(() => unreachable(operation));
    for (const place of operation.places) {
      for (const index of faultsAt('').keys()) {
        const which = runs.length;
        runs.push(() => withFault(operation, place, which, index));
      }
    }
  }
  const recorded: Recorded[] = [];
  const queue = runs.values();
  const work = async () => {
    for (const one of queue) recorded.push(...[(await one()) ?? []].flat());
  };
  await Promise.all(Array.from({ length: 12 }, work));
  const key = ({ program, operation, place, fault }: Recorded) => [program, operation, place, fault].join(' ');
  recorded.sort((left, right) => (key(left) < key(right) ? -1 : 1));
  await writeFile(FIXTURE, `${JSON.stringify(recorded, null, 2)}\n`);
  console.log(`recorded ${recorded.length} runs`);
} finally {
  await registry.stop();
  await rm(directory, { recursive: true, force: true });
}
