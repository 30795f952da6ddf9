/** Finds the log-in for a repository in an authfile, in the order containers/image uses (containers-auth.json(5)). */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { registryOf } from '../../../model/oci/reference.ts';
import { runCommand } from '../process/command.ts';
import { registerSecret } from '../process/redact.ts';
import type { RegistryAccess } from './access.ts';

/** A name and password, or a token that is exchanged for others. */
export type Login = { kind: 'password'; username: string; password: string } | { kind: 'token'; token: string };

const Authfile = z.looseObject({
  auths: z
    .record(z.string(), z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() }))
    .default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});
type Authfile = z.infer<typeof Authfile>;

/** Milliseconds that a credential helper may take. */
const HELPER_TIMEOUT = 20_000;

/**
 * The log-in for a repository; `undefined` when the authfile has none or does not exist. With no authfile in the
 * access, the user's own are looked through. A damaged file is skipped there, since it is not flightline's.
 */
export async function loginFor(access: RegistryAccess, repository: string): Promise<Login | undefined> {
  for (const file of access.authfile === undefined ? userAuthfiles(process.env) : [access.authfile]) {
    const authfile = await readAuthfile(file);
    if (!authfile) continue;
    const login = storedLogin(authfile, repository) ?? (await helperLogin(authfile, repository));
    if (login) {
      registerSecret(login.kind === 'password' ? login.password : login.token);
      return login;
    }
  }
  return undefined;
}

/** Where a user's log-ins lie, first match first. */
export function userAuthfiles(environment: Record<string, string | undefined>): string[] {
  if (environment.REGISTRY_AUTH_FILE) return [environment.REGISTRY_AUTH_FILE];
  const runtime = environment.XDG_RUNTIME_DIR ?? `/run/containers/${process.getuid?.() ?? 0}`;
  const home = environment.HOME ?? homedir();
  return [
    join(runtime, environment.XDG_RUNTIME_DIR ? 'containers/auth.json' : 'auth.json'),
    join(environment.XDG_CONFIG_HOME ?? join(home, '.config'), 'containers/auth.json'),
    join(environment.DOCKER_CONFIG ?? join(home, '.docker'), 'config.json'),
  ];
}

/** The log-in stored in an authfile for a repository: the longest scope that covers it. Pure. */
export function storedLogin(authfile: Authfile, repository: string): Login | undefined {
  const entries = new Map(Object.entries(authfile.auths).map(([scope, entry]) => [normalise(scope), entry]));
  for (const scope of scopesOf(repository)) {
    const entry = entries.get(scope);
    if (!entry) continue;
    if (entry.identitytoken) return { kind: 'token', token: entry.identitytoken };
    if (!entry.auth) continue;
    const text = Buffer.from(entry.auth, 'base64').toString();
    const colon = text.indexOf(':');
    if (colon > 0) {
      // Docker pads old entries with NUL bytes.
      return {
        kind: 'password',
        username: text.slice(0, colon),
        password: text.slice(colon + 1).replace(/\0+$/, ''),
      };
    }
  }
  return undefined;
}

/** `quay.io/acme/edge` → itself, `quay.io/acme`, `quay.io`. */
function scopesOf(repository: string): string[] {
  const parts = repository.split('/');
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
}

/** Scopes are written by many tools: with a scheme, with `/v1/`, and Docker Hub under its old name. */
function normalise(scope: string): string {
  const bare = scope.replace(/^https?:\/\//, '').replace(/\/v[12]\/?$|\/$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}

const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** Asks a `docker-credential-…` program, as docker and podman do. */
async function helperLogin(authfile: Authfile, repository: string): Promise<Login | undefined> {
  const registry = registryOf(repository);
  const helper = authfile.credHelpers[registry] ?? authfile.credsStore;
  if (!helper || !/^[A-Za-z0-9._-]+$/.test(helper)) return undefined;
  const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  try {
    const { stdout } = await runCommand(`docker-credential-${helper}`, ['get'], {
      input: server,
      timeout: HELPER_TIMEOUT,
    });
    const answer = HelperAnswer.parse(JSON.parse(stdout));
    return answer.Username === '<token>'
      ? { kind: 'token', token: answer.Secret }
      : { kind: 'password', username: answer.Username, password: answer.Secret };
  } catch {
    // "credentials not found" is an exit code like any other: the registry is then asked without a log-in.
    return undefined;
  }
}

async function readAuthfile(file: string): Promise<Authfile | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FlightlineError('registry-login', `the authfile ${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    return Authfile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
