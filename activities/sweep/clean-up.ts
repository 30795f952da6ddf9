/**
 * The `cleanUp` activity: removes everything that a release made on this host, except its logs and the files of
 * `--keep-files`.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { lstat, rm } from 'node:fs/promises';
import { ARCHITECTURES } from '../../model/base/host.ts';
import type { CleanUpInput } from '../../model/contract/host.ts';
import { releaseKey } from '../../model/release/inputs.ts';
import { INSTALLATION_LABEL, RELEASE_LABEL } from '../../model/oci/labels.ts';
import { ifMissing } from '../host/space.ts';
import { releaseLeases } from '../host/leases.ts';
import { namesOfRelease, unname } from '../image/bases/local-images.ts';
import { originNameIn } from '../image/bases/origin-name.ts';
import { listImages } from '../tools/podman/images.ts';
import { mayHavePrivateLayers, removePrivateLayers } from '../image/secrets/private-layers.ts';
import { endBuild } from '../tools/podman/build-process.ts';
import { listContainers, removeContainer } from '../tools/podman/container/container.ts';
import { removeInspections } from '../tools/builder/remove-builder.ts';
import { endMachine, machineName } from '../tools/qemu.ts';
import { unmountBelow } from '../tools/mounts.ts';
import { allEnded } from '../tools/together.ts';
import { hostForPlatform, type HostBody, type HostContext } from '../host/work-directory.ts';

/** The part of a host that clean-up needs. */
export type CleanUpHost = Pick<HostContext, 'name' | 'work' | 'configuration'>;

async function cleanUpHost(host: CleanUpHost, input: CleanUpInput): Promise<ActivityAnswer<'cleanUp'>> {
  return {
    removed: await cleanUpRelease(host, input.release, input.timing.stopGrace),
  };
}

/**
 * Removes what the release made here: its builder containers, its build with the working containers, its boot test, the
 * names of its images, and its directory. Its leases go last, so that a lease always means that something may be left.
 * A running container gets `grace` (ms) between SIGTERM and SIGKILL. Returns what was removed, in words; nothing for a
 * second call.
 */
export async function cleanUpRelease(host: CleanUpHost, release: string, grace: number): Promise<string[]> {
  const { installation } = host.work;
  const removed: string[] = [];
  const machines = [undefined, ...ARCHITECTURES].map((platform) => machineName(installation, release, platform));
  const [listed, ...ended] = await allEnded([listContainers(), ...machines.map(endMachine)]);
  removed.push(...ended.filter(Boolean).map(() => 'running boot test'));
  const labelled = listed.filter(
    ({ labels }) => labels[INSTALLATION_LABEL] === installation && labels[RELEASE_LABEL] === release,
  );
  for (const name of labelled.flatMap(({ names }) => names.slice(0, 1))) {
    if (await removeContainer(name, grace)) removed.push(`container ${name}`);
  }
  const directory = host.work.release(release);
  removed.push(...(await endBuild({ installation, release, directory })));
  let origin = await originNameIn(directory);
  let isPrivate = await mayHavePrivateLayers(directory);
  for (const platform of ARCHITECTURES) {
    const own = hostForPlatform(host, platform).work.release(release);
    if (await isThere(own)) removed.push(...(await endBuild({ installation, release, platform, directory: own })));
    origin ??= await originNameIn(own);
    isPrivate ||= await mayHavePrivateLayers(own);
  }
  const images = namesOfRelease(await listImages({ cleanUp: true }), installation, release, origin);
  // A builder that has just been ended may have left one since.
  const left = labelled.length === 0 ? listed : undefined;
  const inspections = await removeInspections(
    images.map(({ id }) => id),
    left,
  );
  removed.push(...inspections.map((name) => `container ${name}`), ...(await unname(images)));
  if (isPrivate) {
    removed.push(...(await removePrivateLayers(installation, (key) => key === releaseKey(release))));
  }
  if (await removeDirectory(directory)) removed.push('work directory');
  removed.push(...(await releaseLeases(host, release)).map((branch) => `lease ${branch}`));
  return removed;
}

/** Removes a directory with its content. `false` when there was none. */
export async function removeDirectory(path: string): Promise<boolean> {
  const there = await isThere(path);
  await unmountBelow(path);
  // A process that is ending may still create a file while its directory is emptied.
  await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  return there;
}

async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(ifMissing(undefined))) !== undefined;
}

export default cleanUpHost satisfies HostBody<'cleanUp'>;
