/** Requests and digests for tests: plain, and the same each time. */
import { createHash } from 'node:crypto';
import { DISK_TYPES, type DiskType, type PublishForm } from '../../model/spec/disk.ts';
import { releaseId } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { timingWith, type Timing } from '../../model/base/timing.ts';

/** A digest for a name. */
export function digestOf(name: string): string {
  return `sha256:${createHash('sha256').update(name).digest('hex')}`;
}

/** Timings under which a fault is noticed in about two seconds (ms); less would mistake a busy machine for a fault. */
export const QUICK: Partial<Timing> = {
  heartbeatTimeout: 2_000,
  hostScheduleToStart: 2_500,
  probeScheduleToStart: 1_000,
  probeStartToClose: 1_000,
  claimRetry: 200,
  claimPreferred: 1_000,
  retryInitial: 100,
  retryMaximum: 500,
  retryFor: 20_000,
  cleanUpFor: 1_500,
  holdFor: 60_000,
};

/** Three disks in two builder runs, as in the demo. */
export const THREE_DISKS: Record<string, PublishForm> = { qcow2: 'container-disk', vmdk: 'artifact', iso: 'artifact' };

/** A request for `registry.example/acme/<name>:v1`. */
export function requestFor(
  name: string,
  { disks = THREE_DISKS, timing = {}, ...more }: RequestChanges = {},
): ReleaseRequest {
  const repository = `registry.example/acme/${name}`;
  const { tag = 'v1', alsoTag: [updateFrom = tag] = [] } = more;
  return {
    schemaVersion: 1,
    name,
    repository,
    tag: 'v1',
    alsoTag: [],
    updateFrom,
    tagPolicy: 'create',
    context: { kind: 'artifact', digest: digestOf('context') },
    contextRepository: `${repository}/context`,
    recordRepository: `${repository}/release`,
    commit: null,
    source: null,
    buildArgs: {},
    architecture: 'amd64',
    key: 'release',
    disks: Object.entries(disks).map(([type, publish]) => ({
      type: type as DiskType,
      publish,
      compress: publish === 'container-disk' ? 'none' : DISK_TYPES[type as DiskType].compress,
      repository: `${repository}/diskimage-${type}`,
    })),
    builder: { image: 'registry.example/builder:1', rootfs: null },
    onFailure: 'hold',
    keepFiles: null,
    timing: timingWith({ ...QUICK, ...timing }),
    ...more,
  };
}

export interface RequestChanges extends Partial<Omit<ReleaseRequest, 'disks' | 'timing'>> {
  disks?: Record<string, PublishForm>;
  timing?: Partial<Timing>;
}

export function idOf(request: ReleaseRequest): string {
  return releaseId(request.repository, request.tag);
}
