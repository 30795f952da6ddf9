import { offeredOn } from '../../../../activities/index.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { framed } from '../../../../activities/frame.ts';
import claimHost from '../../../../activities/host/claim.ts';
import { confirmLease } from '../../../../activities/host/leases.ts';
import { readLeaseFiles } from '../../../../activities/host/lease-files.ts';
import { ClaimInput } from '../../../../model/contract/host.ts';
import { timingWith } from '../../../../model/base/timing.ts';
import { runActivity } from '../../../support/activity.ts';
import { temporaryHost } from '../../../support/host.ts';

const GiB = 1024 ** 3;
const space = () => Promise.resolve({ free: 50 * GiB, total: 100 * GiB });

let host: Awaited<ReturnType<typeof temporaryHost>>;
beforeEach(async () => {
  host = await temporaryHost();
});
afterEach(() => host.remove());

const claim = (more: Partial<ClaimInput> = {}): Promise<string> => {
  const input: ClaimInput = {
    release: 'release/r.example/a:1',
    runId: 'run',
    branch: 'qcow2',
    slot: 'disk',
    architecture: 'amd64',
    requestedAt: '2026-01-01T00:00:00.000Z',
    space: 10 * GiB,
    exclude: [],
    timing: timingWith(),
    ...more,
  };
  return runActivity(
    framed('claim', ClaimInput, (given) => claimHost(host, given, undefined, space)),
    input,
  ).then(({ result }) => {
    expect(result.transfers).toBe(2);
    return result.host;
  });
};
const other = { release: 'release/r.example/b:1', requestedAt: '2026-01-01T00:00:01.000Z' };

describe('claim', () => {
  it('answers with the host and its transfers, again and again', async () => {
    expect([await claim(), await claim()]).toEqual(['host-a', 'host-a']);
    expect((await readLeaseFiles(host)).leases).toHaveLength(1);
  });

  it.each<[string, Partial<ClaimInput>, string, boolean, string]>([
    ['a busy host', other, 'no-slot', false, 'host-a has 1 of 1 disk builds running (release/r.example/a:1)'],
    [
      'no space',
      { ...other, slot: 'build', space: 45 * GiB },
      'no-slot',
      false,
      'host-a has 40 GiB free of the 45 GiB this needs',
    ],
    [
      'a host that is too small',
      { ...other, space: 101 * GiB },
      'disk-full',
      true,
      'host-a has 100 GiB in all, and this needs 101 GiB',
    ],
    [
      'an excluded host',
      { exclude: ['host-b', 'host-a'] },
      'no-host',
      false,
      'host-a is excluded for this branch: the branch failed there, or the host was lost',
    ],
  ])('says why not: %s', async (_, change, type, nonRetryable, message) => {
    await claim();
    await confirmLease(host, 'release/r.example/a:1', 'qcow2');
    await expect(claim(change)).rejects.toMatchObject({ type, nonRetryable, message });
  });
});

describe('claim for another architecture', () => {
  const arm64 = { architecture: 'arm64', branch: 'image', slot: 'build' } as const;
  const reopened = async (...given: Parameters<typeof temporaryHost>) => {
    await host.remove();
    host = await temporaryHost(...given);
  };

  it('is refused by a host that does not build for it', async () => {
    const refusal = { type: 'no-host', nonRetryable: false, message: 'host-a does not build for arm64' };
    await expect(claim(arm64)).rejects.toMatchObject(refusal);
    expect((await readLeaseFiles(host)).requests).toEqual([]);
  });

  it('is granted by one that emulates it, but no disks', async () => {
    await reopened({ architectures: ['amd64', 'arm64'] });
    expect(await claim(arm64)).toBe('host-a');
    await expect(claim({ architecture: 'arm64' })).rejects.toMatchObject({
      type: 'no-host',
      message: 'host-a builds for arm64 by emulation, and makes no disks so (emulatedDisks)',
    });
  });

  it('is granted for disks where the operator allows it', async () => {
    await reopened({ architectures: ['amd64', 'arm64'], emulatedDisks: true });
    expect(await claim({ architecture: 'arm64' })).toBe('host-a');
  });
});

describe('probe', () => {
  it('tells since when the host lives', async () => {
    const { result } = await runActivity((await offeredOn('short', host)).probe);
    expect(result).toMatchObject({ host: 'host-a', since: host.startedAt });
  });
});
