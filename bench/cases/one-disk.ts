/** One image and one qcow2: with nothing cached, with one file changed, and with nothing changed. */
import { readFile } from 'node:fs/promises';
import { alternately, settle, withBoth, type FlightlineSide, type GuideSide } from '../sides.ts';
import { makeInputs, ONE_DISK } from '../inputs.ts';
import type { Site } from '../site.ts';
import { bytesBelow } from '../readings.ts';
import type { CaseOnSite, Plan } from '../case.ts';

/** Seconds of a builder run that hides nothing of what stands around it. */
const SHORT = 1;

/** The figures of a pair of runs. */
interface Pair {
  ratio: number;
  /** Seconds that flightline takes longer. */
  added: number;
  /** Seconds of another run with nothing changed, and how often the registry sent a large blob in it. */
  unchanged: number;
  read: number;
  /** {@link bytesSent}; counted once. */
  sent?: { flightline: number; guide?: number };
}

export const oneDisk: CaseOnSite = {
  name: 'one-disk',
  onSite: true,
  run: async (plan, say, site) => {
    const pairs: Pair[] = [];
    for (let count = 0; count < plan.repeats; count++) pairs.push(await pairOfRuns(plan, say, site, count));
    // A builder run of minutes hides seconds.
    const short = plan.oneDiskBuilderSeconds > SHORT ? await shortPair(say, site) : undefined;
    const sent = pairs[0]!.sent;
    return {
      rows: [
        {
          case: 'one image, one qcow2, nothing cached',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: pairs.map(({ ratio }) => ratio),
          target: { most: 1.05 },
          note:
            'both sides begin with an empty image storage; signing, verification and record are in ' +
            'flightline’s figure, and only signing in the script’s. A run of the builder takes ' +
            `${plan.oneDiskBuilderSeconds} s by the image's label.`,
          headline: { what: 'one image and one qcow2, nothing cached', times: "the script's time" },
        },
        {
          case: `the same, with a builder of ${SHORT} s`,
          measure: "wall time − script's",
          unit: 's',
          values: short === undefined ? pairs.map(({ added }) => added) : [short],
          target: { most: 4 },
          note: 'what flightline adds, however long the builder takes: the ratio is 1 + this ÷ the script’s time.',
          headline: { what: 'the same, time that flightline adds' },
        },
        {
          case: 'again, one changed file in the last layer',
          measure: 'bytes sent ÷ bytes new in the registry',
          unit: 'ratio',
          values: sent ? [sent.flightline] : [],
          target: { most: 1.02 },
          note:
            'what goes over the connections to the registry, headers and all, counted by a way to it that does ' +
            `nothing else${sent?.guide === undefined ? '' : `; the script sends ${sent.guide.toFixed(3)}`}.`,
          headline: { what: 'again, one changed file: bytes sent to the registry', times: 'what is new in it' },
        },
        {
          case: 'again, nothing changed',
          measure: 'start to result',
          unit: 's',
          values: pairs.map(({ unchanged }) => unchanged),
          target: { most: 1.2 },
          note: 'another `flightline run` of the same spec, which ends as `unchanged`.',
          headline: { what: 'again, nothing changed' },
        },
        {
          case: 'again, nothing changed',
          measure: 'blobs of layers and disks read from the registry',
          unit: 'count',
          values: pairs.map(({ read }) => read),
          target: { most: 0 },
          note:
            'requests of the registry’s access log that answered more than 256 kB of a blob; the record of the ' +
            'last release and its signature, a few kB, are read.',
        },
      ],
    };
  },
};

/** A release on each side with empty storages, and another of flightline's with nothing changed. */
function pairOfRuns(plan: Plan, say: (line: string) => void, site: Site, count: number): Promise<Pair> {
  return withBoth(site, async (flightline, guide) => {
    const inputs = await makeInputs(site.stack.registry, plan.oneDiskBuilderSeconds);
    // A quick look counts what is sent in its second run here, and a whole one in runs of their own.
    const registry = plan.quick ? site.meter.address : site.stack.registry;
    const order = (side: string, tag = 'v1') => ({
      inputs,
      repository: `${registry}/bench/${side}-${count}`,
      tag,
      disks: ONE_DISK,
      whenChanged: true,
    });
    const [ours, theirs] = await alternately(
      count,
      () => flightline.release(order('flightline')),
      () => guide.release(order('guide')),
    );
    say(`one disk: flightline ${ours.seconds.toFixed(1)} s, script ${theirs.seconds.toFixed(1)} s`);
    let sent: Pair['sent'];
    if (plan.quick) {
      await inputs.changeLastLayer();
      const end = await meter(site);
      await flightline.release(order('flightline', 'v2'));
      sent = { flightline: await end() };
    }
    const before = await blobReads(site);
    const repeated = await flightline.release(order('flightline', plan.quick ? 'v2' : 'v1'));
    if (repeated.record.status !== 'unchanged')
      throw new Error(`nothing changed, and it is ${repeated.record.status}: ${repeated.record.reason}`);
    const read = (await blobReads(site)) - before;
    say(`one disk, nothing changed: flightline ${repeated.seconds.toFixed(1)} s`);
    await inputs.remove();
    if (!plan.quick && count === 0) sent = await bytesSent(site, flightline, guide, say);
    return {
      ratio: ours.seconds / theirs.seconds,
      added: ours.seconds - theirs.seconds,
      unchanged: repeated.seconds,
      read,
      ...(sent && { sent }),
    };
  });
}

/** Seconds that flightline takes longer than the script with a short builder. */
function shortPair(say: (line: string) => void, site: Site): Promise<number> {
  return withBoth(site, async (flightline, guide) => {
    const inputs = await makeInputs(site.stack.registry, SHORT);
    const order = (side: string) => ({
      inputs,
      repository: `${site.stack.registry}/bench/short-${side}`,
      tag: 'v1',
      disks: ONE_DISK,
    });
    const ours = await flightline.release(order('flightline'));
    await settle();
    const theirs = await guide.release(order('guide'));
    say(
      `one disk, a builder of ${SHORT} s: flightline ${ours.seconds.toFixed(1)} s, script ` +
        `${theirs.seconds.toFixed(1)} s`,
    );
    await inputs.remove();
    return ours.seconds - theirs.seconds;
  });
}

/** How often the registry has sent a blob of more than 256 kB. */
async function blobReads(site: Site): Promise<number> {
  const lines = (await readFile(site.stack.registryLog, 'utf8')).split('\n');
  return lines.filter((line) => {
    const match = /"GET \/v2\/\S+\/blobs\/\S+ HTTP\/[\d.]+" 20[06] (\d+)/.exec(line);
    return match !== null && Number(match[1]) > 256 * 1024;
  }).length;
}

/**
 * Begins to count. The answer says how many bytes were sent by way of the meter for each that is new in the registry.
 */
async function meter(site: Site): Promise<() => Promise<number>> {
  const stored = () => bytesBelow(`${site.stack.stack.paths.registry}/docker/registry/v2/blobs`);
  const [storedBefore, sentBefore] = [await stored(), site.meter.sent()];
  return async () => (site.meter.sent() - sentBefore) / ((await stored()) - storedBefore);
}

/** Bytes that are sent ÷ bytes that are new in the registry, for a release with one changed file; nothing is timed. */
async function bytesSent(
  site: Site,
  flightline: FlightlineSide,
  guide: GuideSide,
  say: (line: string) => void,
): Promise<{ flightline: number; guide: number }> {
  const ratios = { flightline: Number.NaN, guide: Number.NaN };
  for (const [name, side] of [
    ['flightline', flightline],
    ['guide', guide],
  ] as const) {
    const inputs = await makeInputs(site.meter.address, 1);
    const order = { inputs, repository: `${site.meter.address}/bench/bytes-${name}`, disks: ONE_DISK };
    await side.release({ ...order, tag: 'v1' });
    await inputs.changeLastLayer();
    const end = await meter(site);
    await side.release({ ...order, tag: 'v2' });
    ratios[name] = await end();
    say(`one changed file: ${name} sent ${ratios[name].toFixed(4)} bytes for each new one`);
    await inputs.remove();
  }
  return ratios;
}
