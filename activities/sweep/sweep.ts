/**
 * The janitor of a build host removes what releases left behind whose clean-up could not run: only what its own
 * installation made, and only when the release is closed or has no lease on this host.
 */
import type { Dirent } from 'node:fs';
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { partOf } from '../../model/spec/worker-configuration.ts';
import { cleanUpRelease, removeDirectory, type CleanUpHost } from './clean-up.ts';
import { ifMissing, spaceOf } from '../host/space.ts';
import { isVoid } from '../host/lease-decision.ts';
import { leasedKeys, sweepLeases } from '../host/leases.ts';
import { readLeaseFiles } from '../host/lease-files.ts';
import { orphanedNames, unname } from '../image/bases/local-images.ts';
import { removePrivateLayers } from '../image/secrets/private-layers.ts';
import { containersWithLabels, inspectContainer } from '../tools/podman/container/container.ts';
import { listImages } from '../tools/podman/images.ts';
import { podmanInfo } from '../tools/podman/podman.ts';
import { endMachine, forgottenMachines } from '../tools/qemu.ts';
import { trimStorage } from './trim-storage.ts';

const DAY = 24 * 60 * 60_000;
/** How long logs are kept (ms). */
const LOG_LIFETIME = 7 * DAY;
/** How long the RUN caches of a project are kept after its last build (ms). */
const CACHE_LIFETIME = 30 * DAY;
/** A private directory lasts as long as its stage. A killed worker left one that is older than any stage (ms). */
const TEMPORARY_LIFETIME = DAY;
const TEMPORARY_PREFIXES = ['flightline-registry-', 'flightline-context-'];

/**
 * Sweeps once. `isOpen` tells whether a release (workflow id) is running or held. It throws when it cannot tell, and so
 * does the sweep: nothing is removed on a guess. Returns what was removed, in words.
 */
export async function sweep(host: CleanUpHost, isOpen: (release: string) => Promise<boolean>): Promise<string[]> {
  const { work } = host;
  const removed: string[] = [];
  // List before reading the leases, so that whatever is listed already has its lease, if it gets one at all.
  const containers = await releasesOfContainers(work.installation);
  const directories = await readdir(join(work.path, 'releases')).catch(ifMissing<string[]>([]));
  const images = await listImages({ cleanUp: true });
  removed.push(...(await sweepLeases(host)));
  const now = new Date();
  const { leases } = await readLeaseFiles(host);
  const holders = new Set(leases.filter((lease) => !isVoid(lease, now)).map((lease) => lease.release));
  for (const release of new Set([...holders, ...containers])) {
    if (holders.has(release) && (await isOpen(release))) continue;
    const what = await cleanUpRelease(host, release, 0);
    removed.push(...what.map((words) => `${words} of ${release}`));
  }
  const held = await leasedKeys(host);
  for (const name of await forgottenMachines(work.installation, held)) {
    if (await endMachine(name)) removed.push(`boot test ${name}`);
  }
  for (const key of directories) {
    if (held.has(key)) continue;
    if (await removeDirectory(join(work.path, 'releases', key))) removed.push(`work directory ${key}`);
  }
  removed.push(...(await unname(orphanedNames(images, work.installation, held))));
  removed.push(...(await removePrivateLayers(work.installation, (key) => !held.has(key))));
  const { graphRoot } = await podmanInfo();
  const { below, until } = host.configuration.cleaning;
  const marks = { below: partOf(below), until: partOf(until) };
  removed.push(...(await trimStorage(work, held, marks, () => spaceOf([graphRoot]))));
  removed.push(...(await removeOldLogs(work.logs, now)));
  removed.push(...(await removeOldCaches(work.caches, now)));
  removed.push(...(await removeTemporaries(now)));
  return removed;
}

async function releasesOfContainers(installation: string): Promise<string[]> {
  const names = await containersWithLabels({ [INSTALLATION_LABEL]: installation });
  const releases: string[] = [];
  for (const name of names) {
    const release = (await inspectContainer(name))?.labels[RELEASE_LABEL];
    if (release !== undefined) releases.push(release);
  }
  return releases;
}

async function removeOldLogs(logs: string, now: Date): Promise<string[]> {
  const removed: string[] = [];
  for (const entry of await readdir(logs, { withFileTypes: true }).catch(ifMissing<Dirent[]>([]))) {
    if (!entry.isDirectory()) continue;
    const directory = join(logs, entry.name);
    // A stage makes its directory some time before it writes there.
    const isNew = !(await isOlder(directory, DAY, now));
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (!(await isOlder(path, LOG_LIFETIME, now))) continue;
      await rm(path, { recursive: true, force: true });
      removed.push(`log ${path}`);
    }
    // Refused unless it is empty.
    if (!isNew) await rmdir(directory).catch(() => undefined);
  }
  return removed;
}

async function removeOldCaches(caches: string, now: Date): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(caches).catch(ifMissing<string[]>([]))) {
    const path = join(caches, name);
    if ((await isOlder(path, CACHE_LIFETIME, now)) && (await removeDirectory(path))) removed.push(`cache ${path}`);
  }
  return removed;
}

/**
 * Removes leftover private directories, which hold logins or users' files. Only this user's, since the system's
 * temporary directory may be shared.
 */
async function removeTemporaries(now: Date): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await readdir(tmpdir())) {
    const path = join(tmpdir(), name);
    if (!TEMPORARY_PREFIXES.some((prefix) => name.startsWith(prefix))) continue;
    if (!(await isOlder(path, TEMPORARY_LIFETIME, now))) continue;
    if ((await lstat(path).catch(ifMissing(undefined)))?.uid !== process.getuid?.()) continue;
    if (await removeDirectory(path)) removed.push(`temporary directory ${path}`);
  }
  return removed;
}

async function isOlder(path: string, lifetime: number, now: Date): Promise<boolean> {
  const facts = await lstat(path).catch(ifMissing(undefined));
  return facts !== undefined && now.getTime() - facts.mtimeMs > lifetime;
}
