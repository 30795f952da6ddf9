/** Lists what is in a repository (OCI distribution specification v1.1, "Content Discovery"). */
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { parseManifest } from '../../../model/oci/manifest.ts';
import { registryOf } from '../../../model/oci/reference.ts';
import type { RegistryAccess } from './access.ts';
import { ask, type Answer } from './ask.ts';
import { expectSuccess, nextPage } from './api.ts';

/** Tags asked for at once. Some registries answer fewer, and distribution 2.8 answers all whatever is asked. */
const PAGE = 1000;

/** Bytes of one answer: a repository with a hundred thousand tags in one page. */
const MAX_PAGE = 16 * 1024 * 1024;

/** A registry that never comes to an end of its tags is at fault. */
const MAX_PAGES = 10_000;

const TagList = z.looseObject({ tags: z.array(z.string()).nullish() });

/** All tags of a repository, however many pages the registry makes of them; none when there is no such repository. */
export async function listTags(access: RegistryAccess, repository: string): Promise<string[]> {
  const tags = new Set<string>();
  let next: string | URL | undefined = `/tags/list?n=${PAGE}`;
  for (let page = 0; next !== undefined; page++) {
    const answer: Answer = await ask(access, repository, 'pull', next, { limit: MAX_PAGE });
    if (answer.status === 404) return [...tags];
    expectSuccess(answer, repository, 'the tags');
    for (const tag of readTags(answer, repository)) tags.add(tag);
    const before: string = String(next);
    next = nextPage(answer.headers.link, answer.url);
    if (page === MAX_PAGES || (next && String(next) === before)) {
      throw new FlightlineError('registry', `${registryOf(repository)} lists the tags of ${repository} without an end`);
    }
  }
  return [...tags];
}

function readTags(answer: Answer, repository: string): string[] {
  try {
    return TagList.parse(JSON.parse(answer.body.toString('utf8'))).tags ?? [];
  } catch {
    throw new FlightlineError('registry', `${registryOf(repository)} answered no list of tags for ${repository}`);
  }
}

/** Digests of the manifests that name this one as their subject; none of a registry without the referrers API. */
export async function listReferrers(access: RegistryAccess, repository: string, digest: string): Promise<string[]> {
  const answer = await ask(access, repository, 'pull', `/referrers/${digest}`, { limit: MAX_PAGE });
  if ([400, 404, 405, 501].includes(answer.status)) return [];
  expectSuccess(answer, repository, `the referrers of ${digest}`);
  return (parseManifest(answer.body)?.manifests ?? []).map((referrer) => referrer.digest);
}
