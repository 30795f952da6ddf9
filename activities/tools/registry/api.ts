/** What all requests to a registry's API share: addresses, limits, and the meaning of refusals. */
import { z } from 'zod';
import { registryOf } from '../../../model/oci/reference.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { HttpError, type HttpResponse } from './http.ts';

/** Milliseconds for one request. */
export const ANSWER_WITHIN = 60_000;
/** Bytes of an answer, unless it is a manifest or blob. */
export const MAX_ANSWER = 1024 * 1024;

/** The right that a request needs. */
export type Scope = 'pull' | 'pull,push' | 'delete';

/** What a scope allows, in words: `push to`. */
export function allowedBy(scope: Scope): string {
  return { pull: 'pull from', 'pull,push': 'push to', delete: 'delete from' }[scope];
}

/** Turns an address that does not answer into a failure. @throws FlightlineError `registry` */
export async function asRegistryErrors<Result>(body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof HttpError)
      throw new FlightlineError('registry', `the registry does not answer: ${error.message}`);
    throw error;
  }
}

/** Where the API of a repository is. Docker Hub's has another host name than its images. */
export function apiAddress(repository: string): { host: string; name: string } {
  const registry = registryOf(repository);
  const name = repository.slice(registry.length + 1);
  if (registry !== 'docker.io') return { host: registry, name };
  return { host: 'registry-1.docker.io', name: name.includes('/') ? name : `library/${name}` };
}

/** The name of a repository in its registry's API. */
export function apiName(repository: string): string {
  return apiAddress(repository).name;
}

/** @throws FlightlineError `registry` unless the answer is a success. It quotes the registry. */
export function expectSuccess(answer: HttpResponse, repository: string, what: string): void {
  if (answer.status >= 200 && answer.status < 300) return;
  throw new FlightlineError(
    'registry',
    `${registryOf(repository)} answered ${answer.status} for ${what} of ${repository}${said(answer)}`,
  );
}

/** @throws FlightlineError `registry` when the registry is busy or broken, and so says nothing about what was asked. */
export function expectAnswer(answer: HttpResponse, repository: string, what: string): void {
  if (answer.status === 429 || answer.status >= 500) expectSuccess(answer, repository, what);
}

const Errors = z.object({
  errors: z.array(z.object({ code: z.string().default(''), message: z.string().nullish() })).min(1),
});

/** A registry's words about its refusal, in the distribution specification's error format. */
export function said(answer: HttpResponse): string {
  try {
    const { errors } = Errors.parse(JSON.parse(answer.body.toString('utf8')));
    return `: ${errors.map((error) => error.message || error.code).join('; ')}`.slice(0, 300);
  } catch {
    return '';
  }
}

/**
 * The address of the next page in a Link header (RFC 8288, `rel="next"`), which may be relative. `undefined` without
 * one, or when it leads to another host, which must not see the registry's token. Pure.
 */
export function nextPage(header: string | string[] | undefined, base: URL): URL | undefined {
  const links = [header ?? []].flat().join(',');
  for (const [, target, parameters] of links.matchAll(
    /<([^>]*)>((?:\s*;\s*[A-Za-z*]+\s*=\s*(?:"[^"]*"|[^\s,;]+))*)/g,
  )) {
    if (!/;\s*rel\s*=\s*"?next"?/i.test(parameters!) || !URL.canParse(target!, base.href)) continue;
    const url = new URL(target!, base);
    if (url.host !== base.host) return undefined;
    // Behind a proxy a registry may not know its own protocol.
    url.protocol = base.protocol;
    return url;
  }
  return undefined;
}

const TagList = z.looseObject({ tags: z.array(z.string()).nullish() });

/** The tags in an answer. @throws FlightlineError `registry` when it is not a list of tags. */
export function readTags(answer: HttpResponse, repository: string): string[] {
  try {
    return TagList.parse(JSON.parse(answer.body.toString('utf8'))).tags ?? [];
  } catch {
    throw new FlightlineError('registry', `${registryOf(repository)} answered no list of tags for ${repository}`);
  }
}
