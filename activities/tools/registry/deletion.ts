/**
 * Listing and deleting in a registry (OCI distribution specification v1.1, "Content Discovery" and "Content
 * Management").
 */
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { registryOf } from '../../../model/oci/reference.ts';
import type { RegistryAccess } from './access.ts';
import { ask, type Answer } from './ask.ts';
import { expectSuccess, said } from './api.ts';

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

/**
 * The address of the next page in a Link header (RFC 8288, `rel="next"`); it may be relative. `undefined` when there is
 * none, or when it leads to another host, which must not see the registry's token. Pure.
 */
export function nextPage(header: string | string[] | undefined, base: URL): URL | undefined {
  const links = [header ?? []].flat().join(',');
  for (const [, target, parameters] of links.matchAll(
    /<([^>]*)>((?:\s*;\s*[A-Za-z*]+\s*=\s*(?:"[^"]*"|[^\s,;]+))*)/g,
  )) {
    if (!/;\s*rel\s*=\s*"?next"?/i.test(parameters!) || !URL.canParse(target!, base.href)) continue;
    const url = new URL(target!, base);
    if (url.host !== base.host) return undefined;
    // A proxy in front may have made it forget its own protocol.
    url.protocol = base.protocol;
    return url;
  }
  return undefined;
}

/** What came of a deletion. `unsupported`: the registry does not delete this kind of reference, or nothing at all. */
type Deleted = 'deleted' | 'absent' | 'unsupported';

/**
 * Deletes a tag, or the manifest of a digest with every tag that points at it.
 *
 * @throws FlightlineError `registry-login`, `registry-denied` or `registry`.
 */
export async function deleteManifest(access: RegistryAccess, repository: string, reference: string): Promise<Deleted> {
  const answer = await ask(access, repository, 'delete', `/manifests/${reference}`, { method: 'DELETE' });
  if (answer.status === 404) return 'absent';
  // "405: tag deletion or manifest deletion disabled"; distribution 2.8 calls a tag a wrong digest.
  if (answer.status === 405 || answer.status === 400 || answer.status === 501) return 'unsupported';
  expectSuccess(answer, repository, `the deletion of ${reference}${said(answer)}`);
  return 'deleted';
}

/** A tag that nobody has, and a digest that nothing has. */
const NO_TAG = 'flightline-no-such-tag-0f6d5b0c';
const NO_DIGEST = `sha256:${'0'.repeat(64)}`;

/** How a registry lets manifests be deleted, asked with names that do not exist: nothing is changed. */
export async function deletionOf(access: RegistryAccess, repository: string): Promise<'tag' | 'digest' | 'none'> {
  if ((await deleteManifest(access, repository, NO_TAG)) !== 'unsupported') return 'tag';
  return (await deleteManifest(access, repository, NO_DIGEST)) === 'unsupported' ? 'none' : 'digest';
}
