/** One image and three disks: as it is, with two disk builds at once, and killed at half. */
import { builderRuns } from '../../spec/disk.ts';
import { alternately, flightlineSide, guideSide, settle, type Order } from '../sides.ts';
import { makeInputs, ONE_DISK, THREE_DISKS, type Wish } from '../inputs.ts';
import { openSite } from '../site.ts';
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
    // Half of the time that a side's builders take together.
    const atHalf = (runs: number) => ({ disks: killed, killAfter: (runs * plan.builderSeconds) / 2 });
    try {
      for (let pair = 0; pair < plan.repeats; pair++) {
        const [ours, theirs] = await alternately(
          pair,
          () => flightline(`three-${pair}`, 1, { disks }),
          () => script(`script-three-${pair}`, { disks }),
        );
        await settle();
        const atOnce = await flightline(`three-at-once-${pair}`, 2, { disks });
        one.push(ours / theirs);
        two.push(atOnce / theirs);
        say(
          `${named(disks)}: flightline ${ours.toFixed(1)} s, two at once ${atOnce.toFixed(1)} s, script ${theirs.toFixed(1)} s`,
        );
        const [oursKilled, theirsKilled] = await alternately(
          pair,
          () => flightline(`killed-${pair}`, 1, atHalf(runsOf(killed))),
          () => script(`script-killed-${pair}`, atHalf(killed.length)),
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
          note: `each run of the builder takes ${plan.builderSeconds} s by the image's label, with its own work in it; no builder makes an iso together with other types: flightline needs ${runsOf(disks)} runs, the script ${disks.length}.`,
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
          note: 'SIGKILL of the build worker, and of the script with the podman it waits for, when half of the time of its own builder runs is over; the script begins from its top with the layers that are cached by then. What its orphaned builder costs is not counted.',
        },
      ],
    };
  },
};
