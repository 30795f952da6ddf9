/** What a soak runs on: a stack of its own with two build hosts. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Timing } from '../../model/base/timing.ts';
import { openReleases, type Releases } from '../../test/support/releases.ts';
import { startBuildHost, type BuildHost } from '../../test/support/second-host.ts';
import { factsOf } from '../../test/support/stack.ts';
import { publishExampleImages } from '../../workers/stack/example-images.ts';
import { startStack } from '../../workers/stack/start.ts';
import type { Stack } from '../../workers/stack/stack.ts';

/** Bytes of a host's own file system for its work: as much as a builder run is expected to need, and more. */
export const WORK_SIZE = 24 * 1024 ** 3;

export interface Site {
  stack: Stack;
  hosts: BuildHost[];
  releases: Releases;
  /** For the command. */
  environment: Record<string, string>;
  /** Ends everything; its directory stays when it is wanted. */
  end(options: { keep: boolean }): Promise<void>;
}

/**
 * Starts it.
 *
 * @param options.hosts each with a podman storage of its own; `machine` is one that has this machine's.
 * @param options.timing replaces parts of the default timing of releases.
 */
export async function openSite(
  options: { hosts: readonly string[] | 'machine'; timing: Partial<Timing> },
  report: (line: string) => void,
): Promise<Site> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-soak-'));
  const stack = await startStack({ directory, roles: ['control', 'sign'], report });
  const hosts: BuildHost[] = [];
  let releases: Releases | undefined;
  const end = async ({ keep }: { keep: boolean }) => {
    await releases?.close();
    for (const host of hosts) await host.end();
    await stack.stop();
    if (!keep) await rm(directory, { recursive: true, force: true });
  };
  try {
    await publishExampleImages(stack, report);
    const facts = factsOf(stack);
    const alone = options.hosts === 'machine';
    for (const name of alone ? ['host-a'] : options.hosts) {
      report(`starting ${name}`);
      const own = alone ? {} : { private: true, workSize: WORK_SIZE };
      hosts.push(await startBuildHost(stack, { name, ...own, limits: { build: 2, disk: 1 } }));
    }
    releases = await openReleases(facts);
    const environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(options.timing) };
    return { stack, hosts, releases, environment, end };
  } catch (error) {
    await end({ keep: false });
    throw error;
  }
}
