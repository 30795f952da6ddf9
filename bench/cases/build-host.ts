/** What a release of three disks takes of its build host: space, and the worker's time while a builder runs. */
import { join } from 'node:path';
import type { CaseOnSite } from '../case.ts';
import { makeInputs, ONE_DISK, THREE_DISKS } from '../inputs.ts';
import { bytesBelow, cpuSeconds, diskUse, sample, usedBytes } from '../readings.ts';
import { flightlineSide } from '../sides.ts';
import { podman } from '../../test/support/host-state.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import type { Site } from '../site.ts';

/** Both on file systems of their own, in memory, which say at once what is in use (bytes). */
const SPACE = 10 * 1024 ** 3;
const STORAGE = '/var/lib/containers';
/** The length of a builder run: long enough to see what the worker does meanwhile. */
const BUILDER_SECONDS = { whole: 12, quick: 5 };
/** Seconds of a run that are not looked at: the podman that starts the builder is neither heartbeat nor progress. */
const STARTING = 2;
const MEGA = 1e6;

export const buildHost: CaseOnSite = {
  name: 'build-host',
  notQuick: true,
  onSite: true,
  run: async (plan, say, site) => {
    const side = await flightlineSide(site, { workSize: SPACE, storageSize: SPACE });
    const inputs = await makeInputs(site.stack.registry, BUILDER_SECONDS[plan.quick ? 'quick' : 'whole']);
    try {
      const { host } = side;
      const root = `/proc/${/^--target=(\d+)$/.exec(host.enter![1]!)![1]}/root`;
      const storage = join(root, STORAGE);
      // The builder's own scratch is in a volume of its image (`/store`).
      const volumes = join(storage, 'storage/volumes');
      const used = async () => (await usedBytes(host.work)) + (await usedBytes(storage)) - (await diskUse([volumes]));
      const order = { inputs, repository: `${site.stack.registry}/bench/space`, disks: THREE_DISKS };
      // Brings base and builder, which stay.
      await side.release({ ...order, disks: ONE_DISK, tag: 'v1' });
      await inputs.changeLastLayer();
      const before = await used();
      const space = sample(100, used);
      const builder = sample(250, async () => {
        const running = (await host.containers()).find(({ state }) => state === 'running');
        return { name: running?.name, at: performance.now(), cpu: await cpuSeconds(host.pid()) };
      });
      const { record } = await side.release({ ...order, tag: 'v2' });
      const peak = Math.max(...(await space.stop())) - before;
      const after = (await used()) - before;
      const seen = await builder.stop();
      // Only the first builder: what is published while the second one runs is not heartbeats.
      const builderName = seen.find(({ name }) => name !== undefined)?.name;
      const during = seen.filter(({ name }) => name === builderName);
      const from = during.find(({ at }) => at - during[0]!.at >= STARTING * 1_000);
      const to = during.at(-1);
      if (!from || !to || to === from)
        throw new Error('the builder ran too short to see what the worker does meanwhile');
      const percent = (100_000 * (to.cpu - from.cpu)) / (to.at - from.at);
      const image = await sizeOfBase(site);
      const payload = await bytesBelow(join(inputs.directory, 'payload'));
      const files = record.disks.reduce((sum, disk) => sum + (disk.file?.size ?? 0), 0);
      const size = image + payload + files;
      const inMega = (bytes: number) => `${Math.round(bytes / MEGA)} MB`;
      say(
        `peak ${inMega(peak)}, afterwards ${inMega(after)}; image ${inMega(image)}, files ${inMega(files)}; ` +
          `worker ${percent.toFixed(2)} %`,
      );
      return {
        rows: [
          {
            case: 'peak disk use of a release of three disks',
            measure: '(work directory + graph root growth) ÷ (image + files)',
            unit: 'ratio',
            values: [peak / size],
            target: { most: 1.5 },
            note:
              'a second release, on a host that has base and builder; read every tenth of a second without the ' +
              `builder's scratch volume: ${inMega(peak)} for an image of ${inMega(image + payload)} and ` +
              `files of ${inMega(files)}.`,
            headline: { what: 'peak disk use of a release of three disks', times: 'the size of image and files' },
          },
          {
            case: 'peak disk use of a release of three disks',
            measure: 'what is left of it afterwards ÷ (image + files)',
            unit: 'ratio',
            values: [after / size],
            target: { most: 0.05 },
            note:
              `${inMega(after)}: podman's cache of the layers of this build, and logs. The target is "back to ` +
              `the start's figure", and is read as within 5 %.`,
          },
          {
            case: 'heartbeats and progress',
            measure: 'CPU of the build worker during a disk build, of one core',
            unit: 'percent',
            values: [percent],
            target: { most: 3 },
            note:
              'user and system time of the worker and of the programs that it has waited for (/proc/PID/stat), ' +
              `while the first builder of a release runs and nothing is published, from ${STARTING} s after its start.`,
          },
        ],
      };
    } finally {
      await side.end();
      await inputs.remove();
    }
  },
};

/** Bytes of the base in podman's storage; it was made on this machine (examples/debian/make-images.sh). */
async function sizeOfBase({ environment }: Site): Promise<number> {
  return Number(
    await podman({ environment }, ['image', 'inspect', '--format', '{{.Size}}', EXAMPLE_IMAGES.base.local]),
  );
}
