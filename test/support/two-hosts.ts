/** A stack with two build hosts, which the fault tests start, break and stop. */
import { expect } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { Timing } from '../../model/base/timing.ts';
import { recordFrom, runFlightline, startFlightline } from './flightline.ts';
import { makeProject, type Project, type ProjectOptions } from './project.ts';
import { digestOf, manifestOf, tagsOf } from './registry.ts';
import { openReleases, type Releases } from './releases.ts';
import { startBuildHost, type BuildHost } from './second-host.ts';
import { startTestStack, TWO_HOSTS_TIMING, type TestStack } from './stack.ts';
import { eventually } from './wait.ts';

/** A release that was started by the command. */
export interface Run {
  /** Waits for its end, and answers the record; it must be released. */
  released(): Promise<ReleaseRecord>;
  /** Waits for its end, whatever that is. */
  ended(): Promise<void>;
}

export interface TwoHosts {
  stack: TestStack;
  releases: Releases;
  /** Has the machine's podman storage, with the example images in it. It is not started yet. */
  hostA: BuildHost;
  /** Has a podman storage of its own, empty at first. Its worker runs. */
  hostB: BuildHost;
  timing: Partial<Timing>;
  project(options: Omit<ProjectOptions, 'registry'>): Promise<Project>;
  run(project: Project): Run;
  /** A line of a Containerfile that makes the example builder take so many seconds at least. */
  pace(seconds: number): string;
  /** Waits until a builder runs on the host. */
  runningBuilder(host: BuildHost): Promise<string>;
  /** The host that made a disk in the end. */
  diskHost(record: ReleaseRecord, subject: string): string | null | undefined;
  /** Every tag of the record stands, verifies as a device would, and has exactly its signatures beside it. */
  expectPublished(record: ReleaseRecord): Promise<void>;
  end(): Promise<void>;
}

/**
 * Starts it; each host has one slot for image builds and one for disk builds. The sizes are those of {@link
 * startBuildHost}; `timing` replaces values of {@link TWO_HOSTS_TIMING}.
 */
export async function openTwoHosts({
  timing: changes,
  ...sizes
}: { timing?: Partial<Timing>; workSize?: number; storageSize?: number } = {}): Promise<TwoHosts> {
  const timing = { ...TWO_HOSTS_TIMING, ...changes };
  const projects: Project[] = [];
  const hosts: BuildHost[] = [];
  let releases: Releases | undefined;
  const stack = await startTestStack({ roles: ['control', 'sign'] });
  const end = async () => {
    for (const project of projects) await project.remove();
    await releases?.close();
    for (const host of hosts) await host.end();
    await stack.end();
  };
  try {
    releases = await openReleases(stack);
    const limits = { build: 1, disk: 1 };
    hosts.push(await startBuildHost(stack.stack, { name: 'host-a', limits }));
    await hosts[0]!.stop();
    hosts.push(await startBuildHost(stack.stack, { name: 'host-b', limits, private: true, ...sizes }));
  } catch (error) {
    await end();
    throw error;
  }
  const [hostA, hostB] = hosts as [BuildHost, BuildHost];
  const environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(timing) };
  return {
    stack,
    releases,
    hostA,
    hostB,
    timing,
    project: async (asked) => {
      const made = await makeProject({ registry: stack.registry, ...asked });
      projects.push(made);
      return made;
    },
    run: (project) => {
      const running = startFlightline(['run', project.spec, '--json'], { environment });
      return {
        released: async () => {
          const { exitCode, stdout, stderr } = await running;
          expect(exitCode, `${String(stderr)}\n${String(stdout)}`).toBe(0);
          const record = recordFrom({ exitCode: 0, stdout: String(stdout), stderr: String(stderr) });
          expect(record.status).toBe('released');
          return record;
        },
        ended: async () => void (await running),
      };
    },
    pace: (seconds) => `LABEL io.flightline.example.builder-seconds=${seconds}`,
    runningBuilder: (host) =>
      eventually(`a builder runs on ${host.name}`, async () => {
        return (await host.containers()).find(({ state }) => state === 'running')?.id;
      }),
    diskHost: (record, subject) =>
      record.stages.find((row) => row.name === 'disk-build' && row.subject === subject)?.host,
    expectPublished: async (record) => {
      const all = [record.image, ...record.disks] as { reference: string; digest: string }[];
      for (const { reference, digest } of all) {
        expect(await digestOf(reference)).toBe(digest);
        const repository = reference.slice(0, reference.lastIndexOf(':'));
        // An artifact's index and its one entry have a signature each.
        const { manifests = [] } = (await manifestOf(reference)) as { manifests?: { digest: string }[] };
        const signed = [digest, ...manifests.map((entry) => entry.digest)].map((one) => `${one.replace(':', '-')}.sig`);
        expect(await tagsOf(repository)).toEqual([...signed, 'v1'].sort());
      }
      const verified = await runFlightline(['verify', all[0]!.reference, '--key', stack.publicKey], { environment });
      expect(verified.exitCode, verified.stderr).toBe(0);
    },
    end,
  };
}
