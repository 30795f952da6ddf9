/**
 * How a request reaches a repository's part of a registry's API: TLS or plain HTTP, redirects, the token dance. Answers other than
 * 401 and 403 are the caller's to judge.
 */
import { z } from 'zod';
import { FlightlineError } from '../../../model/release/failure.ts';
import { registryOf } from '../../../model/oci/reference.ts';
import { HttpError, send, type HttpRequest, type HttpResponse } from './http.ts';
import type { RegistryAccess } from './access.ts';
import { loginFor, type Login } from './login.ts';

/** Milliseconds for one request. */
const REQUEST_TIMEOUT = 60_000;
/** Bytes of any answer that is no manifest or blob. */
const MAX_ANSWER = 1024 * 1024;
const MAX_REDIRECTS = 5;

/** What a request needs the right to do. */
export type Scope = 'pull' | 'pull,push' | 'delete';
/** `limit`: bytes of the answer, 1 MiB by default. `alsoPull`: another repository of the registry that is read by the request. */
export type RequestOptions = Pick<HttpRequest, 'method' | 'headers' | 'body'> & { limit?: number; alsoPull?: string };
/** An answer with the address it came from, and whether the registry asked for a log-in on the way. */
export type Answer = HttpResponse & { url: URL; challenged: boolean };

/** Authorization headers that worked, by repository and scope; they live as long as the activity's access does. */
const authorizations = new WeakMap<RegistryAccess, Map<string, string>>();
/** Base addresses of insecure registries that were found. */
const insecureBases = new WeakMap<RegistryAccess, Map<string, 'http:' | 'https:'>>();

/**
 * Sends a request to a path below `/v2/<name>`, or to an address the registry gave, answering its challenge.
 *
 * @throws FlightlineError `registry-login`, `registry-denied`, or `registry` when it cannot be reached.
 */
export async function ask(
  access: RegistryAccess,
  repository: string,
  scope: Scope,
  path: string | URL,
  options: RequestOptions,
): Promise<Answer> {
  const known = perAccess(authorizations, access);
  const { alsoPull } = options;
  const key = `${repository} ${scope} ${alsoPull ?? ''}`;
  const cached = known.get(key);
  const first = await reach(access, repository, path, options, cached);
  if (first.status !== 401) return { ...refuseDenied(first, repository, scope), challenged: cached !== undefined };
  known.delete(key);
  const login = await loginFor(access, repository);
  const challenges = parseChallenges(first.headers['www-authenticate'] ?? '');
  const authorization = await authorize(access, { repository, scope, alsoPull }, challenges, login);
  const second = await reach(access, repository, path, options, authorization);
  if (second.status === 401) {
    const asked = `${registryOf(repository)} refuses to ${verb(scope)} ${repository}`;
    // A token was granted: who it is was accepted, what it asks was not.
    if (login && authorization?.startsWith('Bearer ')) throw denied(asked, scope);
    throw new FlightlineError(
      'registry-login',
      `${asked}: ${login ? 'the log-in is not accepted' : 'no log-in is configured'}`,
    );
  }
  if (authorization) known.set(key, authorization);
  return { ...refuseDenied(second, repository, scope), challenged: true };
}

function refuseDenied<A extends HttpResponse>(answer: A, repository: string, scope: Scope): A {
  if (answer.status !== 403) return answer;
  throw denied(`${registryOf(repository)} does not allow to ${verb(scope)} ${repository}${said(answer)}`, scope);
}

function verb(scope: Scope): string {
  return { pull: 'pull from', 'pull,push': 'push to', delete: 'delete from' }[scope];
}

function denied(message: string, scope: Scope): FlightlineError {
  const remedy = "give the sign worker's registry account the right to delete there, and run the command again";
  return new FlightlineError('registry-denied', message, scope === 'delete' ? { remedy } : {});
}

/** Sends to the repository, over plain HTTP where that is allowed and TLS is not spoken, following redirects. */
async function reach(
  access: RegistryAccess,
  repository: string,
  path: string | URL,
  options: RequestOptions,
  authorization: string | undefined,
): Promise<HttpResponse & { url: URL }> {
  const insecure = access.insecure(repository);
  const bases = perAccess(insecureBases, access);
  const { host, name } = apiAddress(repository);
  const at = (protocol: 'http:' | 'https:') =>
    typeof path === 'string' ? new URL(`${protocol}//${host}/v2/${name}${path}`) : path;
  const go = (url: URL) => follow(url, authorization === undefined ? options : { ...options, authorization }, insecure);
  if (!insecure || path instanceof URL) return registryFailures(() => go(at('https:')));
  const base = bases.get(host);
  if (base) return registryFailures(() => go(at(base)));
  // As containers/image does: TLS without verification first, then plain HTTP.
  try {
    const answer = await go(at('https:'));
    bases.set(host, 'https:');
    return answer;
  } catch (error) {
    if (!(error instanceof HttpError) || error.code === 'TIMEOUT') return registryFailures(() => Promise.reject(error));
    const answer = await registryFailures(() => go(at('http:')));
    bases.set(host, 'http:');
    return answer;
  }
}

async function registryFailures<Result>(body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof HttpError)
      throw new FlightlineError('registry', `the registry does not answer: ${error.message}`);
    throw error;
  }
}

async function follow(
  url: URL,
  options: RequestOptions & { authorization?: string },
  insecure: boolean,
): Promise<HttpResponse & { url: URL }> {
  let target = url;
  for (let hops = 0; ; hops++) {
    // Storage behind a redirect must not see the registry's token.
    const own: Record<string, string> =
      target.origin === url.origin && options.authorization ? { authorization: options.authorization } : {};
    const answer = await send(target, {
      ...options,
      headers: { ...options.headers, ...own },
      insecure,
      timeout: REQUEST_TIMEOUT,
      limit: options.limit ?? MAX_ANSWER,
    });
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.status) || !location || hops === MAX_REDIRECTS) {
      return { ...answer, url: target };
    }
    target = new URL(location, target);
  }
}

/** Where the API of a repository is; Docker Hub's has another name than its images. */
function apiAddress(repository: string): { host: string; name: string } {
  const registry = registryOf(repository);
  const name = repository.slice(registry.length + 1);
  if (registry !== 'docker.io') return { host: registry, name };
  return { host: 'registry-1.docker.io', name: name.includes('/') ? name : `library/${name}` };
}

/** The name of a repository within its registry's API. */
export function apiName(repository: string): string {
  return apiAddress(repository).name;
}

/** @throws FlightlineError `registry` unless the answer is a success; it quotes what the registry said. */
export function expectSuccess(answer: HttpResponse, repository: string, what: string): void {
  if (answer.status >= 200 && answer.status < 300) return;
  throw new FlightlineError(
    'registry',
    `${registryOf(repository)} answered ${answer.status} for ${what} of ${repository}${said(answer)}`,
  );
}

const Errors = z.object({
  errors: z.array(z.object({ code: z.string().default(''), message: z.string().nullish() })).min(1),
});

/** What a registry says about its refusal, in the distribution specification's error format. */
export function said(answer: HttpResponse): string {
  try {
    const { errors } = Errors.parse(JSON.parse(answer.body.toString('utf8')));
    return `: ${errors.map((error) => error.message || error.code).join('; ')}`.slice(0, 300);
  } catch {
    return '';
  }
}

function perAccess<Value>(
  store: WeakMap<RegistryAccess, Map<string, Value>>,
  access: RegistryAccess,
): Map<string, Value> {
  const found = store.get(access) ?? new Map<string, Value>();
  store.set(access, found);
  return found;
}

// ── log-in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A part of a WWW-Authenticate header: scheme in lower case and parameters. */
export interface Challenge {
  scheme: string;
  parameters: Record<string, string>;
}

/** Parses `WWW-Authenticate` (RFC 9110 §11.6.1). Pure. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  for (const match of header.matchAll(
    /([A-Za-z]+)(?:\s+(?=[A-Za-z_]+\s*=)|\s*(?:,|$))((?:[A-Za-z_]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s,"]+)\s*,?\s*)*)/g,
  )) {
    const parameters = Object.fromEntries(
      [...match[2]!.matchAll(/([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)].map((pair) => [
        pair[1]!.toLowerCase(),
        (pair[2] ?? pair[3] ?? '').replace(/\\(.)/g, '$1'),
      ]),
    );
    challenges.push({ scheme: match[1]!.toLowerCase(), parameters });
  }
  return challenges;
}

const TokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional() });

/** What a token is asked for. */
interface Wanted {
  repository: string;
  scope: Scope;
  alsoPull: string | undefined;
}

/** The Authorization header that a challenge asks for; `undefined` when there is nothing to answer with. */
async function authorize(
  access: RegistryAccess,
  wanted: Wanted,
  challenges: readonly Challenge[],
  login: Login | undefined,
): Promise<string | undefined> {
  const bearer = challenges.find((challenge) => challenge.scheme === 'bearer' && challenge.parameters.realm);
  if (bearer) return `Bearer ${await fetchToken(access, wanted, bearer.parameters, login)}`;
  return login?.kind === 'password' ? basic(login) : undefined;
}

function basic(login: Login & { kind: 'password' }): string {
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
}

/** A token for a repository and scope (distribution's `docs/spec/auth/token.md`; `oauth.md` for identity tokens). */
async function fetchToken(
  access: RegistryAccess,
  { repository, scope, alsoPull }: Wanted,
  parameters: Record<string, string>,
  login: Login | undefined,
): Promise<string> {
  const registry = registryOf(repository);
  const insecure = access.insecure(repository);
  const realm = URL.canParse(parameters.realm ?? '') ? new URL(parameters.realm!) : undefined;
  if (!realm || (realm.protocol !== 'https:' && !(insecure && realm.protocol === 'http:'))) {
    throw new FlightlineError(
      'registry-login',
      `${registry} names a log-in address that is not HTTPS; no password is sent there`,
    );
  }
  const query = new URLSearchParams({
    ...(parameters.service && { service: parameters.service }),
    // As `skopeo delete` asks: "delete" itself is no word of every token server's.
    scope: `repository:${apiAddress(repository).name}:${scope === 'delete' ? '*' : scope}`,
  });
  if (alsoPull !== undefined) query.append('scope', `repository:${apiAddress(alsoPull).name}:pull`);
  const common = { insecure, timeout: REQUEST_TIMEOUT, limit: MAX_ANSWER };
  const answer = await registryFailures(() => {
    if (login?.kind === 'token') {
      query.set('grant_type', 'refresh_token');
      query.set('refresh_token', login.token);
      query.set('client_id', 'flightline');
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      return send(realm, { ...common, method: 'POST', headers, body: query.toString() });
    }
    for (const [name, value] of query) realm.searchParams.append(name, value);
    return send(realm, { ...common, headers: login ? { authorization: basic(login) } : {} });
  });
  if (answer.status === 401 || answer.status === 400) {
    throw new FlightlineError(
      'registry-login',
      `${registry} ${login ? 'does not accept the log-in' : 'asks for a log-in and none is configured'} for ${repository}`,
    );
  }
  if (answer.status === 403) {
    throw new FlightlineError(
      'registry-denied',
      `${registry} does not allow to ${verb(scope)} ${repository}${said(answer)}`,
    );
  }
  expectSuccess(answer, repository, 'a log-in token');
  let token: string | undefined;
  try {
    const parsed = TokenAnswer.parse(JSON.parse(answer.body.toString('utf8')));
    token = parsed.token || parsed.access_token;
  } catch {
    // Told below, without quoting an answer that may hold a token.
  }
  if (!token) throw new FlightlineError('registry', `${registry} answered a log-in without a token`);
  return token;
}
