/** One image and one qcow2: with nothing cached, with one file changed, and with nothing changed. */
import { readFile } from 'node:fs/promises';
import { alternately, withBoth, type FlightlineSide, type GuideSide } from '../sides.ts';
import { makeInputs, ONE_DISK } from '../inputs.ts';
import type { Site } from '../site.ts';
import { bytesBelow } from '../readings.ts';
import type { CaseOnSite } from '../case.ts';

export const oneDisk: CaseOnSite = {
  name: 'one-disk',
  onSite: true,
  run: async (plan, say, site, round) => {
    const start = Date.now();
    const measured = await withBoth(site, async (flightline, guide) => {
      const inputs = await makeInputs(site.stack.registry, plan.oneDiskBuilderSeconds);
      // A quick look counts what is sent in its second run here, and a whole one in runs of their own.
      const registry = plan.quick ? site.meter.address : site.stack.registry;
      const order = (side: string, tag = 'v1') => ({
        inputs,
        repository: `${registry}/bench/${side}-${round}`,
        tag,
        disks: ONE_DISK,
        whenChanged: true,
      });
      const [ours, theirs] = await alternately(
        round,
        () => flightline.release(order('flightline')),
        () => guide.release(order('guide')),
      );
      say(`one disk: flightline ${ours.seconds.toFixed(1)} s, script ${theirs.seconds.toFixed(1)} s`);
      let sent: { flightline: number; guide?: number } | undefined;
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
      const again = Date.now() - start;
      if (!plan.quick && round === 0) sent = await bytesSent(site, flightline, guide, say);
      return {
        ratio: ours.seconds / theirs.seconds,
        added: ours.seconds - theirs.seconds,
        unchanged: repeated.seconds,
        read,
        again,
        sent,
      };
    });
    return {
      again: measured.again,
      rows: [
        {
          case: 'one image, one qcow2, nothing cached',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: [measured.ratio],
          target: { most: 1.05 },
          note: `both sides begin with an empty image storage; signing, verification and record are in flightline’s figure, and only signing in the script’s. A run of the builder takes ${plan.oneDiskBuilderSeconds} s by the image's label.`,
          headline: { what: 'one image and one qcow2, nothing cached', times: "the script's time" },
        },
        {
          case: 'one image, one qcow2, nothing cached',
          measure: "wall time − script's",
          unit: 's',
          values: [measured.added],
          note: 'what flightline adds, however long the builder takes: the ratio is 1 + this ÷ the script’s time.',
          headline: { what: 'the same, time that flightline adds' },
        },
        {
          case: 'again, one changed file in the last layer',
          measure: 'bytes sent ÷ bytes new in the registry',
          unit: 'ratio',
          values: measured.sent ? [measured.sent.flightline] : [],
          target: { most: 1.02 },
          note: `what goes over the connections to the registry, headers and all, counted by a way to it that does nothing else${measured.sent?.guide === undefined ? '' : `; the script sends ${measured.sent.guide.toFixed(3)}`}.`,
          headline: { what: 'again, one changed file: bytes sent to the registry', times: 'what is new in it' },
        },
        {
          case: 'again, nothing changed',
          measure: 'start to result',
          unit: 's',
          values: [measured.unchanged],
          target: { most: 2 },
          note: 'another `flightline run` of the same spec, which ends as `unchanged`.',
          headline: { what: 'again, nothing changed' },
        },
        {
          case: 'again, nothing changed',
          measure: 'blobs of layers and disks read from the registry',
          unit: 'count',
          values: [measured.read],
          target: { most: 0 },
          note: 'requests of the registry’s access log that answered more than 256 kB of a blob; the record of the last release and its signature, a few kB, are read.',
        },
      ],
    };
  },
};

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
