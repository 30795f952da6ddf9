import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { AptSource } from '../setup/apt-sources.ts';

const execute = promisify(execFile);

/** A path of this machine that the root sees, read-only. */
export interface Bind {
  from: string;
  to: string;
}

/** What this machine lends to the root: Node, Go, and how it reaches the package registries. */
export interface Machine {
  binds: Bind[];
  environment: Record<string, string>;
  /** Lines of apt configuration, such as a proxy. */
  aptOptions: string[];
  /** Own certificate authorities, which the root has to trust too. */
  certificates: string[];
}

/** Passed on as they are: proxies, and where programs look for certificates. */
const PASSED_ON =
  /^(https?_proxy|no_proxy|all_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|GIT_SSL_CAINFO|CURL_CA_BUNDLE)$/i;

const GO_SETTINGS = [
  'GOPROXY',
  'GOSUMDB',
  'GONOSUMDB',
  'GONOPROXY',
  'GOPRIVATE',
  'GOINSECURE',
  'GOFLAGS',
  'GOTOOLCHAIN',
];

async function output(program: string, ...args: string[]): Promise<string> {
  return (await execute(program, args)).stdout.trim();
}

/** Finds, at run time, where Node, npm and Go live and which settings they have. */
export async function inspectMachine(): Promise<Machine> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (PASSED_ON.test(name) && value) environment[name] = value;
  }

  // npm_execpath is set by `npm run`; from an npm beside Node otherwise.
  const npm = path.dirname(path.dirname(await realpath(process.env['npm_execpath'] ?? (await output('which', 'npm')))));
  const binds: Bind[] = [
    { from: await realpath(process.execPath), to: '/opt/node/bin/node' },
    { from: npm, to: '/opt/node/lib/node_modules/npm' },
  ];
  for (const kind of ['userconfig', 'globalconfig']) {
    const file = await output('npm', 'config', 'get', kind);
    if (!existsSync(file)) continue;
    binds.push({ from: file, to: `/opt/machine/npm-${kind}` });
    environment[`npm_config_${kind}`] = `/opt/machine/npm-${kind}`;
  }

  binds.push({ from: await output('go', 'env', 'GOROOT'), to: '/opt/go' });
  for (const name of GO_SETTINGS) {
    const value = await output('go', 'env', name);
    if (value !== '') environment[name] = value;
  }

  const apt = await output('apt-config', 'dump');
  const certificates = '/usr/local/share/ca-certificates';
  return {
    binds,
    environment,
    aptOptions: apt.split('\n').filter((line) => /^Acquire::(https?::|Check-|Retries)/i.test(line)),
    certificates: existsSync(certificates)
      ? (await readdir(certificates))
          .filter((name) => name.endsWith('.crt'))
          .map((name) => path.join(certificates, name))
      : [],
  };
}

/**
 * One-line sources of Debian 12 on the mirrors that this machine uses, whatever its own release is. Throws when it uses
 * no Debian mirror.
 */
export function bookwormSources(sources: readonly AptSource[]): string[] {
  const lines: string[] = [];
  const add = (suites: RegExp, names: string[]) => {
    const source = sources.find((candidate) => candidate.suites.some((suite) => suites.test(suite)));
    const signedBy = source?.options['Signed-By'];
    // A keyring of this machine is not in the root; Debian's own is.
    const trust = source?.options['Trusted'] === 'yes' ? '[trusted=yes] ' : '';
    const keys = signedBy?.startsWith('/') ? `[signed-by=${signedBy}] ` : '';
    for (const name of names) if (source?.uris[0]) lines.push(`deb ${trust || keys}${source.uris[0]} ${name} main`);
  };
  add(/^(bookworm|trixie|oldstable|stable)$/, ['bookworm', 'bookworm-updates']);
  add(/^(bookworm|trixie|oldstable|stable)-security$/, ['bookworm-security']);
  if (lines.length === 0)
    throw new Error('This machine’s apt sources name no Debian mirror; name one with --mirror URL.');
  return lines;
}
