/**
 * Sends requests to a repository in a registry's API: TLS or plain HTTP, redirects, login. The caller judges answers
 * other than 401 and 403.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { registryOf } from '../../../model/oci/reference.ts';
import { currentTask } from '../process/task.ts';
import { apiAddress, MAX_ANSWER, asRegistryErrors, ANSWER_WITHIN, said, allowedBy, type Scope } from './api.ts';
import { HttpError, send, type HttpRequest, type HttpResponse } from './http.ts';
import { loginFor } from './login/login.ts';
import { authorize, parseChallenges } from './login/challenge.ts';

const MAX_REDIRECTS = 5;
/** Longest total wait for a busy registry (ms). Then Temporal retries the activity. */
const PATIENCE = 60_000;
/** Shortest pause before a request is sent again (ms). */
const LEAST_WAIT = 500;

/**
 * `limit`: bytes of the answer, 1 MiB by default. `alsoPull`: another repository of the registry that is read by the
 * request.
 */
type RequestOptions = Pick<HttpRequest, 'method' | 'headers' | 'body'> & { limit?: number; alsoPull?: string };
/** An answer, the address it came from, and whether the registry asked for a login. */
export type Answer = HttpResponse & { url: URL; challenged: boolean };

/** How a repository may be reached. */
export interface Reach {
  /** The file with the logins; `undefined` searches the user's own. */
  readonly authfile: string | undefined;
  /** What insecure registries were found to speak. */
  readonly protocols: Map<string, 'http:' | 'https:'>;
  /** `true` where plain HTTP or an unverified certificate is allowed. */
  insecure(repository: string): boolean;
}

/** The API of one repository. It keeps the tokens that worked. */
export class RepositoryApi {
  readonly repository: string;
  readonly reach: Reach;
  /** Authorization headers, by scope. */
  private readonly authorizations = new Map<string, string>();

  constructor(repository: string, reach: Reach) {
    this.repository = repository;
    this.reach = reach;
  }

  /**
   * Sends a request to a path below `/v2/<name>`, or to an address the registry gave, answering its challenge.
   *
   * @throws FlightlineError `registry-login`, `registry-denied`, or `registry` when it cannot be reached.
   */
  async ask(scope: Scope, path: string | URL, options: RequestOptions = {}): Promise<Answer> {
    const { repository, authorizations } = this;
    const { alsoPull } = options;
    const key = `${scope} ${alsoPull ?? ''}`;
    const cached = authorizations.get(key);
    const first = await this.send(path, options, cached);
    // Storage behind a redirect speaks for itself alone: it is no registry that asks for a login or denies a right.
    if (this.isElsewhere(first.url)) return { ...first, challenged: cached !== undefined };
    if (first.status !== 401) return { ...refuseDenied(first, repository, scope), challenged: cached !== undefined };
    authorizations.delete(key);
    const login = await loginFor(this.reach, repository);
    const challenges = parseChallenges(first.headers['www-authenticate'] ?? '');
    const wanted = { repository, scope, alsoPull };
    let authorization = await authorize(this.reach, wanted, challenges, login);
    let second = await this.send(path, options, authorization);
    if (this.isElsewhere(second.url)) return { ...second, challenged: true };
    const isToken = authorization?.startsWith('Bearer ') === true;
    if (second.status === 401 && login && isToken) {
      // The login was accepted but its token refused: it is too old, or from a server with a wrong clock.
      authorization = await authorize(this.reach, wanted, challenges, login);
      second = await this.send(path, options, authorization);
      if (this.isElsewhere(second.url)) return { ...second, challenged: true };
    }
    if (second.status === 401) {
      const asked = `${registryOf(repository)} refuses to ${allowedBy(scope)} ${repository}`;
      // A token was granted, so the login is right, but lacks rights.
      if (login && isToken) throw denied(asked, scope);
      throw new FlightlineError(
        'registry-login',
        `${asked}: ${login ? 'the login is not accepted' : 'no login is configured'}`,
      );
    }
    if (authorization) authorizations.set(key, authorization);
    return { ...refuseDenied(second, repository, scope), challenged: true };
  }

  /** Where an upload that the registry began goes on; undefined on another host, which must not see the token. */
  uploadOf(answer: Answer): URL | undefined {
    const { location } = answer.headers;
    const upload = location && URL.canParse(location, answer.url.href) ? new URL(location, answer.url) : undefined;
    if (upload?.host !== answer.url.host || this.isElsewhere(upload)) return undefined;
    // A proxy in front may have made it forget its own protocol: nothing is sent in the clear for that.
    upload.protocol = answer.url.protocol;
    return upload;
  }

  /**
   * Drops an upload that the registry began. Not every registry supports it; an abandoned upload expires.
   *
   * @param answer the answer to the request that began it
   */
  async dropUpload(answer: Answer): Promise<void> {
    const upload = this.uploadOf(answer);
    if (!upload) return;
    await this.ask('pull,push', upload, { method: 'DELETE' }).catch((error: unknown) => {
      if (!(error instanceof FlightlineError)) throw error;
    });
  }

  /** `true` of an address that is not the registry's own. */
  private isElsewhere(url: URL): boolean {
    return url.host !== new URL(`${url.protocol}//${apiAddress(this.repository).host}`).host;
  }

  /** Sends, and follows redirects. Uses plain HTTP where that is allowed and there is no TLS. */
  private async send(
    path: string | URL,
    options: RequestOptions,
    authorization: string | undefined,
  ): Promise<HttpResponse & { url: URL }> {
    const insecure = this.reach.insecure(this.repository);
    const { host, name } = apiAddress(this.repository);
    const at = (protocol: 'http:' | 'https:') =>
      typeof path === 'string' ? new URL(`${protocol}//${host}/v2/${name}${path}`) : path;
    const go = (url: URL) =>
      follow(url, { ...options, authorization: this.isElsewhere(url) ? undefined : authorization }, insecure);
    if (!insecure || path instanceof URL) return asRegistryErrors(() => go(at('https:')));
    const { protocols } = this.reach;
    const protocol = protocols.get(host);
    if (protocol) return asRegistryErrors(() => go(at(protocol)));
    // As containers/image does: TLS without verification first, then plain HTTP.
    try {
      const answer = await go(at('https:'));
      protocols.set(host, 'https:');
      return answer;
    } catch (error) {
      if (!(error instanceof HttpError) || error.code === 'TIMEOUT') {
        return asRegistryErrors(() => Promise.reject(error));
      }
      const answer = await asRegistryErrors(() => go(at('http:')));
      protocols.set(host, 'http:');
      return answer;
    }
  }
}

function refuseDenied<A extends HttpResponse>(answer: A, repository: string, scope: Scope): A {
  if (answer.status !== 403) return answer;
  throw denied(`${registryOf(repository)} does not allow to ${allowedBy(scope)} ${repository}${said(answer)}`, scope);
}

function denied(message: string, scope: Scope): FlightlineError {
  const remedy = "give the sign worker's registry account the right to delete there";
  return new FlightlineError('registry-denied', message, scope === 'delete' ? { remedy } : {});
}

async function follow(
  url: URL,
  options: RequestOptions & { authorization: string | undefined },
  insecure: boolean,
): Promise<HttpResponse & { url: URL }> {
  let target = url;
  for (let hops = 0; ; hops++) {
    // Storage behind a redirect must not see the registry's token.
    const own: Record<string, string> =
      target.origin === url.origin && options.authorization ? { authorization: options.authorization } : {};
    const answer = await sendPatiently(target, {
      ...options,
      headers: { ...options.headers, ...own },
      insecure,
      timeout: ANSWER_WITHIN,
      limit: options.limit ?? MAX_ANSWER,
    });
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.status) || !location || hops === MAX_REDIRECTS) {
      return { ...answer, url: target };
    }
    if (!URL.canParse(location, target.href)) throw new HttpError(target, 'REDIRECT', 'redirects to no address');
    const next = new URL(location, target);
    if (next.protocol !== 'https:' && !(insecure && next.protocol === 'http:')) {
      throw new HttpError(target, 'REDIRECT', `redirects to ${next.protocol}//${next.host}, which is not HTTPS`);
    }
    target = next;
  }
}

/** Sends again when a busy registry says, up to a total wait. */
async function sendPatiently(url: URL, request: HttpRequest): Promise<HttpResponse> {
  for (let left = PATIENCE; ;) {
    const answer = await send(url, request);
    const wait = retryAfter(answer, Date.now());
    if (wait === undefined || wait > left) return answer;
    left -= Math.max(wait, LEAST_WAIT);
    await sleep(Math.max(wait, LEAST_WAIT), undefined, { signal: currentTask()?.signal }).catch(() => undefined);
  }
}

/** Milliseconds until a registry that answers 429 or 503 can be asked again (RFC 9110, Retry-After). */
function retryAfter({ status, headers }: HttpResponse, now: number): number | undefined {
  const value = headers['retry-after'];
  if ((status !== 429 && status !== 503) || value === undefined) return undefined;
  const at = /^\d+$/.test(value) ? now + Number(value) * 1_000 : Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(at - now, 0);
}
