/** One image and three disks: as it is, with two disk builds at once, killed at half, and with one file changed. */
import { builderRuns } from '../../spec/disk.ts';
import { alternately, flightlineSide, guideSide, settle, withBoth, type Order, type Took } from '../sides.ts';
import { makeInputs, ONE_DISK, THREE_DISKS, type Wish } from '../inputs.ts';
import { openSite } from '../site.ts';
import { hasTimeFor, type Case } from '../case.ts';

/** How often flightline runs the builder for these disks; the script runs it for each. */
const runsOf = (disks: readonly Wish[]): number =>
  builderRuns(disks.map(({ type, publish }) => ({ type, publish: publish ?? 'artifact', compress: 'none' }))).length;

const named = (disks: readonly Wish[]): string => disks.map(({ type }) => type).join(' + ');

export const threeDisks: Case = {
  name: 'three-disks',
  shortens: true,
  run: async (plan, say) => {
    const site = await openSite();
    const one: number[] = [];
    const two: number[] = [];
    const restarted: number[] = [];
    const changed: number[] = [];
    // A quick look leaves the vmdk out, and kills what makes one disk.
    const disks = plan.quick ? THREE_DISKS.slice(0, 2) : THREE_DISKS;
    const killed = plan.quick ? ONE_DISK : THREE_DISKS;
    /** Seconds of a release on a side that is made for it, with an empty storage. */
    const seconds = async (
      open: () => ReturnType<typeof guideSide | typeof flightlineSide>,
      name: string,
      order: Pick<Order, 'disks' | 'killAfter'>,
    ) => {
      const inputs = await makeInputs(site.stack.registry, plan.builderSeconds);
      const side = await open();
      try {
        const repository = `${site.stack.registry}/bench/${name}`;
        return (await side.release({ inputs, repository, tag: 'v1', ...order })).seconds;
      } finally {
        await side.end();
        await inputs.remove();
      }
    };
    const flightline = (name: string, disk: number, order: Pick<Order, 'disks' | 'killAfter'>) =>
      seconds(() => flightlineSide(site, { limits: { disk } }), name, order);
    const script = (name: string, order: Pick<Order, 'disks' | 'killAfter'>) =>
      seconds(() => guideSide(site), name, order);
    try {
      const lengths: number[] = [];
      for (let pair = 0; pair < plan.repeats && hasTimeFor(plan, lengths, Date.now()); pair++) {
        const start = Date.now();
        const [ours, theirs] = await withBoth(site, async (flightlineHost, guide) => {
          const inputs = await makeInputs(site.stack.registry, plan.builderSeconds);
          const order = (name: string, tag: string) => ({
            inputs,
            repository: `${site.stack.registry}/bench/${name}-three-${pair}`,
            tag,
            disks,
          });
          const both = (tag: string) =>
            alternately(
              pair,
              () => flightlineHost.release(order('flightline', tag)),
              () => guide.release(order('script', tag)),
            );
          const first = await both('v1');
          // Once is enough of a run this long, and a quick look changes a file with one disk.
          if (pair === 0 && !plan.quick) {
            await inputs.changeLastLayer();
            const [again, scriptAgain] = await both('v2');
            changed.push(again.seconds / scriptAgain.seconds);
            say(
              `${named(disks)}, one changed file: flightline ${again.seconds.toFixed(1)} s, script ${scriptAgain.seconds.toFixed(1)} s`,
            );
          }
          await inputs.remove();
          return first;
        });
        one.push(ours.seconds / theirs.seconds);
        say(`${named(disks)}: flightline ${ours.seconds.toFixed(1)} s, script ${theirs.seconds.toFixed(1)} s`);
        await settle();
        const atOnce = await flightline(`three-at-once-${pair}`, 2, { disks });
        two.push(atOnce / theirs.seconds);
        say(`${named(disks)}, two at once: flightline ${atOnce.toFixed(1)} s`);
        lengths.push(Date.now() - start);
        // Once is enough of what takes four minutes.
        if (pair > 0) continue;
        // Of the disk builds that nobody killed; a quick look kills what makes another number of disks.
        const half = ({ disks: unharmed }: Took) => (killed === disks ? unharmed : plan.builderSeconds) / 2;
        const [oursKilled, theirsKilled] = await alternately(
          pair,
          () => flightline(`killed-${pair}`, 1, { disks: killed, killAfter: half(ours) }),
          () => script(`script-killed-${pair}`, { disks: killed, killAfter: half(theirs) }),
        );
        restarted.push(oursKilled / theirsKilled);
        say(
          `${named(killed)}, killed at half: flightline ${oursKilled.toFixed(1)} s, script ${theirsKilled.toFixed(1)} s`,
        );
      }
    } finally {
      await site.end();
    }
    return {
      rows: [
        {
          case: `one image, ${named(disks)}, qcow2 as a container disk`,
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: one,
          target: { most: 0.75 },
          note: `each run of the builder takes at least ${plan.builderSeconds} s by the image's label, of which it mostly waits; no builder makes an iso together with other types: flightline needs ${runsOf(disks)} runs, the script ${disks.length}.`,
        },
        {
          case: 'the same, two disk builds at once',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: two,
          target: { most: 0.6 },
        },
        {
          case: `${killed === disks ? 'the same' : named(killed)}, killed at half of the disk builds and restarted at once`,
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: restarted,
          target: { most: 0.55 },
          note: 'SIGKILL of the build worker, and of the script with the podman it waits for, half way between the first builder’s start and the last one’s end as the pair’s unharmed runs had them; the script begins from its top with the layers that are cached by then. What its orphaned builder costs is not counted.',
        },
        {
          case: `again, one changed file in the last layer, ${named(disks)}`,
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: changed,
          target: { most: 0.8 },
          note: 'layers are cached on both sides, and all disks are built anew.',
        },
      ],
    };
  },
};
