/** A user's authfiles: where they are, and what they contain (containers-auth.json(5)). */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { repositoryIsWithin } from '../../../../model/oci/reference.ts';

/** A name and password, or a token that is exchanged for others. */
export type Login = { kind: 'password'; username: string; password: string } | { kind: 'token'; token: string };

const Entry = z.looseObject({ auth: z.string().optional(), identitytoken: z.string().optional() });

export const Authfile = z.looseObject({
  auths: z.record(z.string(), Entry).default({}),
  credHelpers: z.record(z.string(), z.string()).default({}),
  credsStore: z.string().optional(),
});

export type Authfile = z.infer<typeof Authfile>;

/** Where a user's logins are, in the order of precedence. */
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

/** The login stored in an authfile for a repository: the longest scope that covers it. Pure. */
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

/** All logins that cover a repository, by the scope that programs look for. Pure. */
export function storedLogins(authfile: Authfile, repository: string): { scope: string; login: Login }[] {
  return Object.entries(authfile.auths).flatMap(([written, entry]) => {
    const scope = normalise(written);
    if (!repositoryIsWithin(repository, scope)) return [];
    const login = storedLogin({ auths: { [scope]: entry }, credHelpers: {} }, scope);
    return login ? [{ scope, login }] : [];
  });
}

/** A login in the form of containers-auth.json(5). Pure. */
export function entryOf(login: Login): z.infer<typeof Entry> {
  if (login.kind === 'token') return { identitytoken: login.token };
  return { auth: Buffer.from(`${login.username}:${login.password}`).toString('base64') };
}

/** `quay.io/acme/edge` → itself, `quay.io/acme`, `quay.io`. */
function scopesOf(repository: string): string[] {
  const parts = repository.split('/');
  return parts.map((_, index) => parts.slice(0, parts.length - index).join('/'));
}

/** Normalises a scope. Tools write a scheme, `/v1/`, or the old name of Docker Hub. */
function normalise(scope: string): string {
  const bare = scope.replace(/^https?:\/\//, '').replace(/\/v[12]\/?$|\/$/, '');
  return bare === 'index.docker.io' || bare === 'registry-1.docker.io' ? 'docker.io' : bare;
}
