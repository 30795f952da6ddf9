/** Draining a host: the file, what it does to claims, and the command. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beginDrain, drainingOf, endDrain } from '../../../../activities/host/drain.ts';
import type { LeaseRequest } from '../../../../activities/host/lease-decision.ts';
import { claimLease, confirmLease, releaseLeases } from '../../../../activities/host/leases.ts';
import drainVerb from '../../../../client/commands/drain.ts';
import type { Output } from '../../../../client/terminal/output.ts';
import { temporaryHost } from '../../../support/host.ts';

const space = () => Promise.resolve({ free: 1e12, total: 1e12 });
const timing = { leaseLifetime: 120_000 };
const claim = (name: string, more: Partial<LeaseRequest> = {}): LeaseRequest => ({
  release: `release/r.example/${name}:1`,
  runId: `run-${name}`,
  branch: 'qcow2',
  slot: 'disk',
  space: 1000,
  requestedAt: new Date().toISOString(),
  seenUntil: new Date(Date.now() + 60_000).toISOString(),
  ...more,
});

let host: Awaited<ReturnType<typeof temporaryHost>>;
beforeEach(async () => {
  host = await temporaryHost({ limits: { disk: 2 } });
});
afterEach(() => host.remove());

describe('a host that is being drained', () => {
  it('keeps its promises, makes no new ones, and says why', async () => {
    const [a, b] = [claim('a'), claim('b')];
    expect(await claimLease(host, a, timing, space)).toEqual({ granted: true });
    await beginDrain(host.work, 'new kernel');
    expect(await claimLease(host, a, timing, space)).toEqual({ granted: true });
    const refused = { granted: false, kind: 'no-slot', reason: 'host-a is being drained (new kernel)' };
    expect(await claimLease(host, b, timing, space)).toEqual(refused);
    expect(await confirmLease(host, a.release, a.branch)).toBe(true);
    expect(await endDrain(host.work)).toBe(true);
    expect(await claimLease(host, b, timing, space)).toEqual({ granted: true });
  });

  it('keeps moment and comment when it is drained again', async () => {
    const first = await beginDrain(host.work, 'new kernel', new Date('2026-01-01T00:00:00.000Z'));
    expect(first).toEqual({ since: '2026-01-01T00:00:00.000Z', comment: 'new kernel' });
    expect(await beginDrain(host.work, null)).toEqual(first);
    expect(await beginDrain(host.work, 'new disk')).toEqual({ ...first, comment: 'new disk' });
    expect((await stat(join(host.work.path, 'draining.json'))).mode & 0o777).toBe(0o600);
  });

  it('is drained by an empty file too, and by nothing else', async () => {
    expect(await drainingOf(host.work)).toBeNull();
    await writeFile(join(host.work.path, 'draining.json'), '');
    expect(await drainingOf(host.work)).toMatchObject({ comment: null });
    expect(await endDrain(host.work)).toBe(true);
    expect([await drainingOf(host.work), await endDrain(host.work)]).toEqual([null, false]);
  });
});

describe('flightline drain', () => {
  let directory: string;
  let config: string;
  let printed: string[];
  let documents: unknown[];
  const output = {
    result: (text: string) => void printed.push(text),
    document: (value: unknown) => void documents.push(value),
  } as unknown as Output;

  beforeEach(async () => {
    [printed, documents] = [[], []];
    directory = await mkdtemp(join(tmpdir(), 'flightline-drain-'));
    config = join(directory, 'worker.yaml');
    await writeFile(config, `host: host-a\ndirectories: { work: ${host.work.path} }\n`);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('says what still needs the host, and waits until nothing does', async () => {
    const { release } = claim('a');
    await claimLease(host, claim('a'), timing, space);
    expect(await drainVerb.run([], { config, comment: 'new kernel' }, output)).toBe(0);
    const head = 'host-a is being drained (new kernel); this needs it still:';
    expect(printed).toEqual([`${head}\n  ${release} qcow2: its disks are being built`]);
    const waiting = drainVerb.run([], { config, wait: true }, output);
    setTimeout(() => void releaseLeases(host, release), 100);
    expect(await waiting).toBe(0);
    expect(printed.at(-1)).toBe('host-a is being drained (new kernel), and no release needs it: stop its worker');
    expect(documents).toMatchObject([
      { host: 'host-a', draining: { comment: 'new kernel' }, leases: [{ release, branch: 'qcow2', slot: 'disk' }] },
      { host: 'host-a', draining: { comment: 'new kernel' }, leases: [] },
    ]);
  });

  it('is undone', async () => {
    await drainVerb.run([], { config }, output);
    expect(await drainVerb.run([], { config, undo: true }, output)).toBe(0);
    expect(printed.at(-1)).toBe('host-a takes claims again');
    expect(await drainingOf(host.work)).toBeNull();
    await drainVerb.run([], { config, undo: true }, output);
    expect(printed.at(-1)).toBe('host-a was not being drained');
  });

  it('makes no work directory where there is none', async () => {
    const work = join(directory, 'none');
    await writeFile(config, `directories: { work: ${work} }\n`);
    await expect(drainVerb.run([], { config }, output)).rejects.toMatchObject({ kind: 'no-build-host', exitCode: 2 });
    await expect(readFile(work)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
