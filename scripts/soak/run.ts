/** The soak itself: releases and faults for a while, then quiet, then a look at what there is. */
import { setTimeout as pause } from 'node:timers/promises';
import { TWO_HOSTS_TIMING } from '../../test/support/stack.ts';
import { eventually } from '../../test/support/wait.ts';
import { drive, type Driven } from './drive.ts';
import { collectGarbage, injectFaults } from './faults.ts';
import { inspectEnds, inspectHosts, inspectTags } from './inspection.ts';
import { chance } from './random.ts';
import { openSite, type Site } from './site.ts';
import { Tally } from './tally.ts';
import { nextWish } from './wish.ts';

/** Releases after which the registry collects its garbage, once all of them have ended. */
const GARBAGE_AFTER = 6;
/** Releases under way at once: more than the hosts have slots. */
const AT_ONCE = 4;
/** Once the faults have ended, every release comes to its end within this (ms). */
const SETTLE_WITHIN = 8 * 60_000;

export interface SoakOptions {
  minutes: number;
  seed: number;
  say: (line: string) => void;
  /** Ends it early; what runs by then is still brought to its end and looked at. */
  signal: AbortSignal;
}

/** Runs it. Answers whether all was well. */
export async function soak(options: SoakOptions): Promise<boolean> {
  const { minutes, seed, say, signal } = options;
  const site = await openSite(
    {
      hosts: ['host-a', 'host-b'],
      timing: { ...TWO_HOSTS_TIMING, heartbeatTimeout: 8_000, retryFor: 10 * 60_000, holdFor: 60 * 60_000 },
    },
    say,
  );
  let well = false;
  try {
    const problems = await disturbed(site, options);
    for (const problem of problems) say(`PROBLEM ${problem}`);
    well = problems.length === 0;
  } finally {
    await site.end({ keep: !well });
    if (!well) say(`What is left to look at: ${site.stack.directory}`);
  }
  const length = signal.aborted ? 'until it was interrupted' : `after ${minutes} minutes`;
  say(`${well ? 'All is well' : 'Something is wrong'} ${length} with seed ${seed}.`);
  return well;
}

async function disturbed(site: Site, { minutes, seed, say, signal }: SoakOptions): Promise<string[]> {
  const faults = new Tally();
  const ends = new Tally();
  const problems: string[] = [];
  const until = Date.now() + minutes * 60_000;
  const isOver = () => signal.aborted || Date.now() >= until;
  const wishes = chance(seed);
  const driven: Driven[] = [];
  const underWay = new Set<Promise<void>>();
  let started = 0;
  const start = () => {
    started += 1;
    const name = `release-${String(started).padStart(3, '0')}`;
    const wish = nextWish(wishes);
    const one = drive(site, name, wish, faults)
      .then(
        (end) => {
          driven.push(end);
          ends.add(`${end.record.status}, asked for: ${wish.kind}`);
          say(`${name} (${wish.disks.join('+') || 'no disk'}): ${end.record.status}`);
        },
        (error: Error) => void problems.push(`${name}: ${error.message}`),
      )
      .finally(() => underWay.delete(one));
    underWay.add(one);
  };
  const over = new AbortController();
  const faulting = injectFaults(site, chance(seed + 1), over.signal, (name) => {
    faults.add(name);
    say(`fault: ${name}`);
  });
  // End the soak when a fault cannot be caused: it would prove less than it claims.
  let broken = false;
  void faulting.catch((error: Error) => {
    broken = true;
    problems.push(`a fault could not be caused: ${error.message}`);
  });
  let collectAt = GARBAGE_AFTER;
  while (!isOver() && !broken) {
    while (underWay.size < AT_ONCE && started < collectAt && !isOver()) start();
    await Promise.race([...underWay, pause(1_000)]);
    if (underWay.size > 0 || started < collectAt) continue;
    await collectGarbage(site);
    faults.add('garbage collection of the registry');
    say('the registry has collected its garbage');
    collectAt += GARBAGE_AFTER;
  }
  over.abort();
  await faulting.catch(() => undefined);
  say(`no more faults; waiting for ${underWay.size} releases`);
  await eventually('every release has come to its end', async () => underWay.size === 0 || undefined, {
    timeout: SETTLE_WITHIN,
  }).catch((error: Error) => void problems.push(error.message));
  problems.push(...inspectEnds(driven));
  await giveUpHeld(site, driven);
  problems.push(...(await inspectTags(site, driven)), ...(await inspectHosts(site)));
  say(['', `${started} releases:`, ...ends.lines(), '', 'Faults:', ...faults.lines(), ''].join('\n'));
  for (const { project } of driven) await project.remove();
  return problems;
}

/** Cancels the releases that are held as asked: nothing of them may be left either. */
async function giveUpHeld(site: Site, driven: readonly Driven[]): Promise<void> {
  const held = driven.filter(({ record }) => record.status === 'held');
  for (const { project } of held) await site.releases.cancel(project.release);
  for (const { project } of held) {
    await eventually(`${project.release} is cancelled`, async () => {
      return (await site.releases.isOpen(project.release)) ? undefined : true;
    });
  }
}
