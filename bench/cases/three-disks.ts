/** One image and three disks: as it is, with two disk builds at once, killed at half, and with one file changed. */
import { builderRuns } from '../../model/spec/disk.ts';
import { alternately, flightlineSide, guideSide, settle, withBoth, type Order } from '../sides.ts';
import { makeInputs, ONE_DISK, THREE_DISKS, type Wish } from '../inputs.ts';
import type { CaseOnSite } from '../case.ts';

/** How often flightline runs the builder for these disks; the script runs it for each. */
const runsOf = (disks: readonly Wish[]): number =>
  builderRuns(disks.map(({ type, publish }) => ({ type, publish: publish ?? 'artifact', compress: 'none' }))).length;

const named = (disks: readonly Wish[]): string => disks.map(({ type }) => type).join(' + ');

export const threeDisks: CaseOnSite = {
  name: 'three-disks',
  onSite: true,
  run: async (plan, say, site) => {
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
    const compare = (what: string, ours: number, theirs: number): number => {
      say(`${what}: flightline ${ours.toFixed(1)} s, script ${theirs.toFixed(1)} s`);
      return ours / theirs;
    };
    const whatIsKilled = `${named(killed)}, killed at half`;
    const [ours, theirs] = await withBoth(site, async (flightlineHost, guide) => {
      const inputs = await makeInputs(site.stack.registry, plan.builderSeconds);
      const both = (tag: string, further: Partial<Order> = {}) => {
        const order = (name: string) => ({
          inputs,
          repository: `${site.stack.registry}/bench/${name}-three`,
          tag,
          disks,
          ...further,
        });
        return alternately(
          0,
          () => flightlineHost.release(order('flightline')),
          () => guide.release(order('script')),
        );
      };
      const first = await both('v1');
      const [ourFirst, theirFirst] = first;
      one.push(compare(named(disks), ourFirst.seconds, theirFirst.seconds));
      // A quick look changes a file with one disk, and kills where base and builder are.
      await inputs.changeLastLayer();
      const [again, scriptAgain] = await both(
        'v2',
        plan.quick ? { disks: killed, killAfter: plan.builderSeconds / 2 } : {},
      );
      if (plan.quick) restarted.push(compare(whatIsKilled, again.seconds, scriptAgain.seconds));
      else changed.push(compare(`${named(disks)}, one changed file`, again.seconds, scriptAgain.seconds));
      await inputs.remove();
      return first;
    });
    if (!plan.quick) {
      await settle();
      const atOnce = await flightline('three-at-once', 2, { disks });
      two.push(compare(`${named(disks)}, two at once`, atOnce, theirs.seconds));
      // Of the disk builds that nobody killed.
      const [oursKilled, theirsKilled] = await alternately(
        1,
        () => flightline('killed', 1, { disks: killed, killAfter: ours.disks / 2 }),
        () => script('script-killed', { disks: killed, killAfter: theirs.disks / 2 }),
      );
      restarted.push(compare(whatIsKilled, oursKilled, theirsKilled));
    }
    return {
      rows: [
        {
          case: `one image, ${named(disks)}, qcow2 as a container disk`,
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: one,
          target: { most: 0.75 },
          note:
            `each run of the builder takes at least ${plan.builderSeconds} s by the image's label, of which it ` +
            'mostly waits; no builder makes an iso together with other types: flightline needs ' +
            `${runsOf(disks)} runs, the script ${disks.length}.`,
          headline: { what: `one image, ${named(disks)}`, times: "the script's time" },
        },
        {
          case: 'the same, two disk builds at once',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: two,
          target: { most: 0.6 },
          headline: { what: 'the same, two disk builds at once', times: "the script's time" },
        },
        {
          case:
            `${killed === disks ? 'the same' : named(killed)}, killed at half of the disk builds and restarted ` +
            'at once',
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: restarted,
          target: { most: 0.55 },
          note:
            'SIGKILL of the build worker, and of the script with the podman it waits for, half way between the ' +
            'first builder’s start and the last one’s end as the pair’s unharmed runs had them; the script ' +
            'begins from its top with the layers that are cached by then. What its orphaned builder costs ' +
            'is not counted.',
          headline: { what: 'the same, both killed at half of the disk builds', times: "the script's time" },
        },
        {
          case: `again, one changed file in the last layer, ${named(disks)}`,
          measure: "wall time ÷ script's",
          unit: 'ratio',
          values: changed,
          target: { most: 0.8 },
          note: 'layers are cached on both sides, and all disks are built anew.',
          headline: { what: 'the same again, one changed file', times: "the script's time" },
        },
      ],
    };
  },
};
