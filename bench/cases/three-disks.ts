/** One image and three disks: as it is, with two disk builds at once, killed at half, and with one file changed. */
import { builderRuns } from '../../spec/disk.ts';
import { alternately, flightlineSide, guideSide, settle, type Order } from '../sides.ts';
import { makeInputs, ONE_DISK, THREE_DISKS, type Wish } from '../inputs.ts';
import { openSite } from '../site.ts';
import { withBoth } from './one-disk.ts';
import type { Case } from '../case.ts';

/** How often flightline runs the builder for these disks; the script runs it for each. */
const runsOf = (disks: readonly Wish[]): number =>
  builderRuns(disks.map(({ type, publish }) => ({ type, publish: publish ?? 'artifact', compress: 'none' }))).length;

const named = (disks: readonly Wish[]): string => disks.map(({ type }) => type).join(' + ');

export const threeDisks: Case = {
  name: 'three-disks',
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
      for (let pair = 0; pair < plan.repeats; pair++) {
        // What the disk builds of both take when nobody kills them.
        let half = { flightline: plan.builderSeconds / 2, script: plan.builderSeconds / 2 };
        let theirs = Number.NaN;
        await withBoth(site, async (flightlineHost, guide) => {
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
          const [ours, scripts] = await both('v1');
          theirs = scripts.seconds;
          one.push(ours.seconds / theirs);
          if (killed === disks) half = { flightline: ours.disks / 2, script: scripts.disks / 2 };
          say(`${named(disks)}: flightline ${ours.seconds.toFixed(1)} s, script ${theirs.toFixed(1)} s`);
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
        });
        await settle();
        const atOnce = await flightline(`three-at-once-${pair}`, 2, { disks });
        two.push(atOnce / theirs);
        say(`${named(disks)}, two at once: flightline ${atOnce.toFixed(1)} s`);
        const [oursKilled, theirsKilled] = await alternately(
          pair,
          () => flightline(`killed-${pair}`, 1, { disks: killed, killAfter: half.flightline }),
          () => script(`script-killed-${pair}`, { disks: killed, killAfter: half.script }),
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
        ...(changed.length === 0
          ? []
          : [
              {
                case: `again, one changed file in the last layer, ${named(disks)}`,
                measure: "wall time ÷ script's",
                unit: 'ratio' as const,
                values: changed,
                target: { most: 0.8 },
                note: 'layers are cached on both sides, and all disks are built anew.',
              },
            ]),
      ],
    };
  },
};
