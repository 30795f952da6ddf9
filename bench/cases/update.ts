/** What an update costs devices, with the layers as they were built and with those of `image.rechunk`. */
import { randomBytes } from 'node:crypto';
import { recordFrom, runFlightline } from '../../test/support/flightline.ts';
import { makeProject } from '../../test/support/project.ts';
import { CHUNKAH, pushBase, pushRechunker } from '../../test/support/rechunker/push.ts';
import type { CaseOnSite, Row } from '../case.ts';
import type { Site } from '../site.ts';

const MEBI = 1024 ** 2;
/** Bytes of the base that both releases have, and of the package that each has anew. They do not compress. */
const STAYS = 32 * MEBI;
const CHANGES = MEBI;
const UPDATE = `update in which ${CHANGES / MEBI} MiB of a base of ${(STAYS + CHANGES) / MEBI} MiB has changed`;
const PROGRAM = CHUNKAH
  ? 'chunkah (`FLIGHTLINE_CHUNKAH`)'
  : "a stand-in with chunkah's command line (test/support/rechunker), one of each directory below /usr";

export const update: CaseOnSite = {
  name: 'update',
  onSite: true,
  run: async (_plan, say, site) => {
    const { registry } = site.stack;
    const rechunk = await pushRechunker(registry);
    const stays = randomBytes(STAYS);
    const bases: string[] = [];
    for (const version of ['1', '2']) {
      bases.push(await pushBase(registry, { version, stays, changes: randomBytes(CHANGES) }));
    }
    const host = await site.host('update');
    try {
      const without = await costOfUpdate(site, bases, 'as-built', {});
      say(`update without rechunk: ${without} bytes`);
      const chunked = await costOfUpdate(site, bases, 'rechunked', { rechunk });
      say(`update with rechunk: ${chunked} bytes`);
      return { rows: rowsOf(without, chunked) };
    } finally {
      await host.end();
    }
  },
};

/** Releases an image on one base after the other. Answers the bytes of the update to the last one. */
async function costOfUpdate(site: Site, bases: readonly string[], name: string, image: object): Promise<number> {
  const { stack, environment } = site;
  const project = await makeProject({
    registry: stack.registry,
    name: `update-${name}`,
    image: { ...image, alsoTag: ['latest'] },
  });
  try {
    let bytes: number | undefined;
    for (const [index, base] of bases.entries()) {
      await project.write('Containerfile', `FROM ${base}\n`);
      const outcome = await runFlightline(['run', project.spec, '--tag', `v${index + 1}`, '--json'], { environment });
      if (outcome.exitCode !== 0) throw new Error(`flightline ended with ${outcome.exitCode}: ${outcome.stderr}`);
      bytes = recordFrom(outcome).image.updates?.[0]?.bytes;
    }
    if (bytes === undefined) throw new Error('the last release does not say what its update costs');
    return bytes;
  } finally {
    await project.remove();
  }
}

function rowsOf(without: number, chunked: number): Row[] {
  return [
    {
      case: UPDATE,
      measure: 'fetched by a device, without `image.rechunk`',
      unit: 'MB',
      values: [without / 1e6],
      note: 'by the record (`image.updates`): manifest, configuration and the layers that the device does not have.',
    },
    {
      case: UPDATE,
      measure: 'fetched by a device, with it',
      unit: 'MB',
      values: [chunked / 1e6],
      note: `the base is one layer; layers are made by ${PROGRAM}.`,
    },
    {
      case: UPDATE,
      measure: 'with it ÷ without it',
      unit: 'ratio',
      values: [chunked / without],
      headline: { what: `${UPDATE}: bytes fetched with \`image.rechunk\``, times: 'those without' },
    },
  ];
}
