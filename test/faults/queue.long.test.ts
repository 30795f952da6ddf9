/** Two build hosts with a slot each, and more releases than that. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closedGate } from '../support/gate.ts';
import { openTwoHosts, type TwoHosts } from '../support/two-hosts.ts';
import { eventually } from '../support/wait.ts';

// A host forgets a waiting claim ten of these pauses after it last heard of it, and must not do so before a slow
// machine has ended the build that has the slot.
const timing = { claimRetry: 3_000 };

let site: TwoHosts;
beforeAll(async () => {
  site = await openTwoHosts({ timing });
});
afterAll(() => site?.end());

describe('more releases than slots', () => {
  it('wait where one can see it, the oldest goes first, and both hosts work', async () => {
    await site.hostA.start();
    const gates = [await closedGate(), await closedGate()];
    const begin = async (name: string, lines: string[]) => {
      const one = await site.project({ name, lines });
      const end = site.run(one).released();
      await eventually(`${name} has begun`, async () => (await site.releases.isOpen(one.release)) || undefined);
      return { reference: one.release, end };
    };
    const waits = (reference: string, words: RegExp) =>
      eventually(`${reference} says what it waits for`, async () => {
        return (await site.releases.waitingFor(reference)).find((line) => words.test(line));
      });
    const builds = (reference: string) =>
      eventually(`${reference} builds`, async () => {
        const row = (await site.releases.record(reference)).stages.find(({ name }) => name === 'build');
        return row?.status === 'waiting' || !row?.host ? undefined : row.host;
      });
    const first = await begin('first', [gates[0]!.line]);
    const second = await begin('second', [gates[1]!.line]);
    const hosts = [await builds(first.reference), await builds(second.reference)];
    expect(hosts.toSorted()).toEqual(['host-a', 'host-b']);
    const third = await begin('third', ['LABEL which=third']);
    await waits(third.reference, /host-[ab] has 1 of 1 image builds running/);
    const fourth = await begin('fourth', ['LABEL which=fourth']);
    await waits(fourth.reference, /host-[ab] has (?:1 of 1 image builds running|promised its next slot)/);
    // A host serves the oldest request that it has heard of, and a waiting claim asks a host at random each time.
    await waits(third.reference, new RegExp(`${hosts[0]!} has 1 of 1 image builds running`));
    await gates[0]!.open();
    expect(await builds(third.reference), 'where the oldest goes').toBe(hosts[0]);
    await gates[1]!.open();
    const records = await Promise.all([first, second, third, fourth].map(({ end }) => end));
    const started = records.map(({ stages }) => Date.parse(stages.find(({ name }) => name === 'build')!.startedAt!));
    expect(started[2]!).toBeLessThan(started[3]!);
    for (const gate of gates) gate.close();
    // What a release asked of the host that it did not get is forgotten after those pauses.
    await eventually('both hosts are clean', async () => {
      const left = [...(await site.hostA.leftOvers()), ...(await site.hostB.leftOvers())];
      return left.every((one) => one.startsWith('requests/')) || undefined;
    });
  });
});
