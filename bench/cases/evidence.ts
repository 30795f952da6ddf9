/** What evidence costs: the stages that a release has for it. */
import { syftVersion } from '../../activities/tools/syft/syft.ts';
import type { CaseOnSite } from '../case.ts';
import { makeInputs, ONE_DISK, type SpecOptions } from '../inputs.ts';
import { flightlineSide } from '../sides.ts';

export const evidence: CaseOnSite = {
  name: 'evidence',
  onSite: true,
  run: async (plan, say, site) => {
    const isThere = (await syftVersion('syft')) !== null;
    const side = await flightlineSide(site);
    const inputs = await makeInputs(site.stack.registry, 1);
    /** Seconds of the stages of several releases. */
    const measure = async (of: NonNullable<SpecOptions['evidence']>): Promise<number[]> => {
      const seconds: number[] = [];
      for (let count = 0; count < plan.repeats; count++) {
        const repository = `${site.stack.registry}/bench/evidence-${of}-${count}`;
        const { record } = await side.release({ inputs, repository, tag: 'v1', disks: ONE_DISK, evidence: of });
        const own = record.stages.filter(({ name }) => name === 'sbom' || name === 'attest');
        seconds.push(own.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0) / 1_000);
        say(`evidence (${of}): ${own.map((row) => `${row.name} ${(row.durationMs ?? 0) / 1_000} s`).join(', ')}`);
      }
      return seconds;
    };
    try {
      const provenance = await measure('provenance');
      const lists = isThere ? await measure('lists') : [];
      const row = { case: 'evidence of an image and a qcow2', unit: 's' } as const;
      return {
        rows: [
          {
            ...row,
            measure: 'stage attest',
            values: provenance,
            note: 'made, signed, attached to both in two forms, read back and verified; unasked there is no stage.',
            headline: { what: 'provenance of an image and a qcow2: time that it adds' },
          },
          {
            ...row,
            measure: 'stages sbom and attest',
            values: lists,
            note: 'with SPDX and CycloneDX lists of the image by the Syft of this machine.',
            headline: { what: 'the same with bills of materials in both formats' },
          },
        ],
      };
    } finally {
      await inputs.remove();
      await side.end();
    }
  },
};
