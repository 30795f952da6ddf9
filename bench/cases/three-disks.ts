/** One image and three disks: as it is, with two disk builds at once, and killed at half. */
import { alternately, flightlineSide, guideSide, settle } from '../sides.ts';
import { makeInputs, ONE_DISK, THREE_DISKS, type Wish } from '../inputs.ts';
import { openSite } from '../site.ts';
import type { Case } from '../case.ts';

/** qcow2 and vmdk are one run of the builder; an iso is one by itself (spec/disk.ts). */
const RUNS = 2;

/** Half of the time that a side's builders take together, and the disks they make. */
interface Killed {
  after: number;
  disks: readonly Wish[];
}

export const threeDisks: Case = {
  name: 'three-disks',
  run: async (plan, say) => {
    const site = await openSite();
    const one: number[] = [];
    const two: number[] = [];
    const restarted: number[] = [];
    /** Seconds of a release on a side that is made for it, with an empty storage. */
    const seconds = async (
      open: () => ReturnType<typeof guideSide | typeof flightlineSide>,
      name: string,
      killed?: Killed,
    ) => {
      const inputs = await makeInputs(site.stack.registry, plan.builderSeconds);
      const side = await open();
      try {
        const repository = `${site.stack.registry}/bench/${name}`;
        const asked = { inputs, repository, tag: 'v1', disks: killed?.disks ?? all };
        return (await side.release(killed ? { ...asked, killAfter: killed.after } : asked)).seconds;
      } finally {
        await side.end();
        await inputs.remove();
      }
    };
    const flightline = (name: string, disk: number, killed?: Killed) =>
      seconds(() => flightlineSide(site, { limits: { disk } }), name, killed);
    const script = (name: string, killed?: Killed) => seconds(() => guideSide(site), name, killed);
    // A quick look leaves the vmdk out, and kills what makes one disk.
    const all = plan.quick ? THREE_DISKS.slice(0, 2) : THREE_DISKS;
    const disks = plan.quick ? ONE_DISK : THREE_DISKS;
    try {
      for (let pair = 0; pair < plan.repeats; pair++) {
        const [ours, theirs] = await alternately(
          pair,
          () => flightline(`three-${pair}`, 1),
          () => script(`script-three-${pair}`),
        );
        await settle();
        const atOnce = await flightline(`three-at-once-${pair}`, 2);
        one.push(ours / theirs);
        two.push(atOnce / theirs);
        say(
          `${all.length} disks: flightline ${ours.toFixed(1)} s, two at once ${atOnce.toFixed(1)} s, script ${theirs.toFixed(1)} s`,
        );
        const half = (runs: number): Killed => ({ after: (runs * plan.builderSeconds) / 2, disks });
        const [oursKilled, theirsKilled] = await alternately(
          pair,
          () => flightline(`killed-${pair}`, 1, half(plan.quick ? 1 : RUNS)),
          () => script(`script-killed-${pair}`, half(disks.length)),
        );
        restarted.push(oursKilled / theirsKilled);
        say(
          `${disks.length} disks, killed at half: flightline ${oursKilled.toFixed(1)} s, script ${theirsKilled.toFixed(1)} s`,
        );
      }
    } finally {
      await site.end();
    }
    return {
      rows: [
        {
          case: 'one image, iso + qcow2 + vmdk, qcow2 as a container disk',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: one,
          target: { most: 0.75 },
          note: `each run of the builder takes ${plan.builderSeconds} s by the image's label, with its own work in it; flightline needs two runs, since no builder makes an iso together with other types, and the script three.`,
        },
        {
          case: 'the same, two disk builds at once',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: two,
          target: { most: 0.6 },
        },
        {
          case: 'the same, killed at half of the disk builds and restarted at once',
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
