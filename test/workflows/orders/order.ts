/** One order of events: numbers that say what happens next, and then the calm in which everything succeeds. */
import type { ReleaseRecord } from '../../../model/release/record.ts';
import type { ReleaseRequest } from '../../../model/spec/request.ts';
import { requestFor } from '../facts.ts';
import { Broken, World, type Outcome, type Pending } from './world.ts';
import type { Runtime } from './runtime.ts';

/** The most that may happen in the calm: whatever takes longer never ends. */
const CALM_STEPS = 600;
const CALM_RETRIES = 40;

/** What can go wrong with an activity, by its name; a number picks. */
const FAULTS: Record<string, readonly Outcome[]> = {
  resolve: ['image-not-found', 'registry-denied'],
  claim: ['disk-full'],
  build: ['silence', 'containerfile', 'disk-full', 'no-slot'],
  push: ['silence', 'registry-denied', 'disk-vanished', 'no-slot'],
  diskBuild: ['silence', 'builder', 'disk-full', 'no-slot', 'disk-vanished'],
  publish: ['silence', 'registry-denied', 'no-slot', 'disk-vanished'],
  sign: ['key-missing', 'disk-vanished'],
  verify: ['signature-rejected', 'disk-vanished'],
  tag: ['registry-denied', 'tag-moved'],
  moveSharedTag: ['registry-denied'],
  record: ['registry-denied'],
  proveSigning: ['key-missing'],
  probe: ['silence'],
  keepLogs: ['registry-denied'],
  cleanUp: ['host-setup'],
};

/** The spec that a release starts with: a number picks. */
export function firstRequest(number: number): ReleaseRequest {
  const disks = [{}, { qcow2: 'container-disk' }, { qcow2: 'container-disk', iso: 'artifact' }] as const;
  return requestFor('order', {
    disks: { ...disks[number % 3] },
    ...(number & 4 && { approval: 'required' }),
    tagPolicy: number & 8 ? 'move' : 'create',
    alsoTag: number & 16 ? ['latest'] : [],
    onFailure: (number & 224) === 224 ? 'fail' : 'hold',
    timing: { heartbeatTimeout: 30_000 },
  });
}

/** A changed spec of the same release. */
function changedRequest(before: ReleaseRequest, number: number): ReleaseRequest {
  const iso = requestFor('order', { disks: { iso: 'artifact' } }).disks;
  switch (number % 6) {
    case 0:
      return { ...before, buildArgs: { VERSION: String(number) } };
    case 1:
      return { ...before, disks: [...before.disks.filter(({ type }) => type !== 'iso'), ...iso] };
    case 2:
      return { ...before, disks: before.disks.slice(0, -1) };
    case 3:
      return { ...before, alsoTag: before.alsoTag.length > 0 ? [] : ['latest'] };
    case 4:
      return {
        ...before,
        disks: before.disks.map((disk) => ({ ...disk, repository: `${disk.repository}-${number % 2}` })),
      };
    default:
      return before;
  }
}

/** Plays an order to its end. @throws Broken or TaskFailed, with what happened. */
export async function play(runtime: Runtime, first: number, numbers: readonly number[]): Promise<World> {
  const world = new World(runtime, firstRequest(first));
  try {
    await new Player(world, numbers).play();
    return world;
  } catch (error) {
    if (error instanceof Error)
      error.message = `${error.message}\n${world.log.map((line) => `    ${line}`).join('\n')}`;
    throw error;
  } finally {
    await world.dispose();
  }
}

class Player {
  private readonly world: World;
  private readonly numbers: readonly number[];
  private at = 0;
  /** What the person saw when they looked last. */
  private seen: ReleaseRecord | null = null;
  /** The last spec that was sent, which may not have been taken over. */
  private latest: ReleaseRequest;
  /** An activity that takes its time in this order. */
  private readonly slow: string;

  constructor(world: World, numbers: readonly number[]) {
    this.world = world;
    this.numbers = numbers;
    const names = Object.keys(FAULTS);
    this.slow = names[this.next() % names.length]!;
    this.latest = world.request;
  }

  async play(): Promise<void> {
    const { world } = this;
    await world.start();
    while (world.end === null && this.at < this.numbers.length) await this.step();
    await this.calm();
    await world.requireTold();
  }

  private next(): number {
    return this.numbers[this.at++] ?? 0;
  }

  /** One thing happens: mostly a workflow is answered, at times a person says something. */
  private async step(): Promise<void> {
    const { world } = this;
    const what = this.next();
    const possible = this.quick();
    // People come when something is held.
    const held = world.pending.some(({ kind, name }) => kind === 'timer' && name.includes('is held'));
    const answered = possible.length === 0 ? 0 : held ? 128 : 224;
    if (what < answered) return this.answer(possible[what % possible.length]!, this.next());
    return this.person(this.next());
  }

  /** What can happen now; the one activity that is slow in this order comes late. */
  private quick(): Pending[] {
    const { possible } = this.world;
    const quick = possible.filter(({ name }) => name !== this.slow);
    if (quick.length === 0 || quick.length === possible.length) return possible;
    return this.next() < 64 ? possible : quick;
  }

  private async answer(one: Pending, number: number): Promise<void> {
    await this.world.happens(one, this.outcomeOf(one, number));
  }

  private outcomeOf(one: Pending, number: number): Outcome {
    if (one.kind !== 'activity') return 'ordinary';
    if (one.cancelled && number % 3 > 0) return 'cancelled';
    const faults = FAULTS[one.name];
    // What is rejected before there is anything to keep ends the release at once: of little interest.
    const early = one.name === 'resolve' && this.world.updates.length === 0;
    if (number < 190 || !faults || early) return 'ordinary';
    return faults[number % faults.length]!;
  }

  private async person(number: number): Promise<void> {
    const { world } = this;
    if (number < 34) return void (await world.send('retry', { request: null }));
    if (number < 40) return this.replace(this.next());
    if (number < 110) return this.retryWith(this.next());
    if (number < 180) return this.decide('approve');
    if (number < 185) return this.decide('reject');
    if (number < 190) return world.cancel();
    if (number < 215) return void (this.seen = await world.record());
    if (number < 252) return world.registry.collect(this.next());
    const hold = world.pending.find(({ kind, name }) => kind === 'timer' && name.includes('is held'));
    if (hold) await world.happens(hold, 'ordinary');
  }

  private async retryWith(number: number): Promise<void> {
    const request = changedRequest(this.latest, number);
    const update = await this.world.send('retry', { request });
    if (update.state !== 'refused') this.latest = request;
  }

  /** As `flightline run --replace` does: the release is cancelled, and begins anew once it has ended. */
  private async replace(number: number): Promise<void> {
    const { world } = this;
    await world.cancel();
    while (world.end === null && this.at < this.numbers.length) {
      const possible = this.quick();
      if (possible.length === 0) break;
      await this.answer(possible[this.next() % possible.length]!, this.next());
    }
    await this.calm();
    await world.requireTold();
    this.seen = null;
    this.latest = changedRequest(this.latest, number);
    await world.replaceBy(this.latest);
  }

  private async decide(decision: 'approve' | 'reject'): Promise<void> {
    const seen = (this.seen ??= await this.world.record());
    const digests = [seen.image.digest, ...seen.disks.map(({ digest }) => digest)].filter((one) => one !== null);
    await this.world.send('decide', { decision, by: 'ann', comment: '', digests }, digests);
  }

  /** Everything succeeds from here on, and somebody looks after what is held. */
  private async calm(): Promise<void> {
    const { world } = this;
    let retries = 0;
    for (let steps = 0; world.end === null; steps++) {
      if (steps > CALM_STEPS) throw new Broken('it does not come to an end');
      const [one] = world.possible;
      if (one) {
        await world.happens(one, one.cancelled ? 'cancelled' : 'ordinary');
        continue;
      }
      const record = await world.record();
      world.requireNoFault(record);
      if (record.status !== 'held') throw new Broken(`nothing is under way, and it is ${record.status}`);
      if (++retries > CALM_RETRIES) throw new Broken(`held again and again: ${record.failure?.message}`);
      this.seen = record;
      if (record.failure?.kind === 'approval-needed') await this.decide('approve');
      else if (record.failure?.kind === 'tag-moved') return world.cancel().then(() => this.calm());
      else await world.send('retry', { request: null });
    }
  }
}
