/** What a soak must have left behind: good releases in the registry, nothing on the hosts. */
import { z } from 'zod';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { verifyDigest } from '../../activities/trust/verify.ts';
import { installationOf } from '../../test/support/host-state.ts';
import { entryTag } from '../../model/oci/reference.ts';
import { machineArchitecture } from '../../workers/configuration.ts';
import { digestOf, registryAnswers, tagsOf } from '../../test/support/registry.ts';
import { mountsOf, processesNaming, type BuildHost } from '../../test/support/second-host.ts';
import { eventually } from '../../test/support/wait.ts';
import type { Driven } from './drive.ts';
import type { Site } from './site.ts';
import { unlike } from './wish.ts';

const Catalog = z.object({ repositories: z.array(z.string()) });
/** The most that a registry answers at once by default. */
const PAGE = 100;
/** One command against the registry (ms). */
const VERIFY_WITHIN = 60_000;
/** A worker sweeps its host three minutes after its start, and leases that nobody uses lapse before (ms). */
const CLEAN_WITHIN = 270_000;

/** Problems with the ends of releases. */
export function inspectEnds(driven: readonly Driven[]): string[] {
  return driven.flatMap(({ project, wish, record }) => {
    const problem = unlike(wish.kind, record.status);
    const why = record.failure ? ` (${record.failure.kind}: ${record.failure.message.split('\n')[0]})` : '';
    return problem ? [`${project.release}: ${problem}${why}`] : [];
  });
}

/**
 * Problems with tags: each belongs to a finished release, points where its record says, is signed and verifies; none is
 * missing.
 */
export async function inspectTags(site: Site, driven: readonly Driven[]): Promise<string[]> {
  const { registry } = site.stack;
  const problems: string[] = [];
  const expected = new Map<string, string>();
  const mayStand = new Set<string>();
  for (const { project, record } of driven) {
    const released = record.status === 'released';
    for (const { reference, digest } of [record.image, ...record.disks]) {
      if (released && reference !== null && digest !== null) expected.set(reference, digest);
    }
    if (released) mayStand.add(`${project.repository}/release:v1`);
    // A release that was cancelled while it tagged says which tags stand. An artifact's entry has a tag of its own.
    const named = [record.image, ...record.disks].flatMap(({ reference }) => reference ?? []);
    for (const reference of [...named, ...named.map((one) => entryTag(one, machineArchitecture()))]) {
      const isTold = record.failure?.stage === 'tag' && record.failure.message.includes(reference);
      if (released || isTold) mayStand.add(reference);
    }
  }
  const key = { publicKeyFile: site.stack.paths.publicKey, publicKey: await readPublicKey(site.stack.paths.publicKey) };
  // The last fault may have ended it.
  await eventually('the registry answers', () => registryAnswers(registry));
  await withUserAccess(async (access) => {
    for (const repository of (await repositoriesOf(registry)).filter((name) => name.startsWith('test/soak/'))) {
      for (const tag of await tagsOf(`${registry}/${repository}`)) {
        // Signatures and contexts are named by digests, and make nothing public.
        if (/^sha256-[0-9a-f]{64}(?:\.sig)?$/.test(tag)) continue;
        const reference = `${registry}/${repository}:${tag}`;
        const digest = (await digestOf(reference))!;
        const wanted = expected.get(reference);
        if (wanted === undefined && !mayStand.has(reference)) {
          problems.push(`${reference}: moved by a release that did not finish`);
        } else if (wanted !== undefined && wanted !== digest) {
          problems.push(`${reference}: points at ${digest}, and the record says ${wanted}`);
        }
        expected.delete(reference);
        const subject = { repository: `${registry}/${repository}`, digest, tags: [tag] };
        const lost = await access.repository(subject.repository).missingPart(digest);
        if (lost !== null) problems.push(`${reference}: ${lost} is not in the registry`);
        await verifyDigest(access, key, subject, VERIFY_WITHIN).catch((error: Error) =>
          problems.push(`${reference}: ${error.message}`),
        );
      }
    }
  });
  return [...problems, ...[...expected.keys()].map((reference) => `${reference}: released, and not in the registry`)];
}

/** All repositories of a registry, page by page. */
async function repositoriesOf(registry: string): Promise<string[]> {
  const all: string[] = [];
  for (;;) {
    const query = new URLSearchParams({ n: String(PAGE), ...(all.length > 0 && { last: all.at(-1)! }) });
    const answer = await fetch(`http://${registry}/v2/_catalog?${query.toString()}`);
    const { repositories } = Catalog.parse(await answer.json());
    all.push(...repositories);
    if (repositories.length < PAGE) return all;
  }
}

/** What is left on the hosts after every release has ended and the janitor has had time to run. */
export async function inspectHosts(site: Site): Promise<string[]> {
  let left: string[] = [];
  const look = async () => {
    left = (await Promise.all(site.hosts.map(inspectHost))).flat();
    return left.length === 0 || undefined;
  };
  await eventually('the hosts are clean', look, { timeout: CLEAN_WITHIN, interval: 3_000 }).catch(() => undefined);
  return left;
}

async function inspectHost(host: BuildHost): Promise<string[]> {
  const installation = await installationOf(host);
  // Its worker's own configuration lies beside the work directory.
  const words = [`${host.work}/`, installation, installation.replaceAll('-', '')];
  const processes = (await processesNaming(words)).map(({ pid, program }) => `process ${pid} ${program}`);
  const mounts = (await mountsOf(host)).map((line) => `mount ${line}`);
  return [...(await host.leftOvers()), ...processes, ...mounts].map((line) => `${host.name}: ${line}`);
}
