/** What a retry without a spec goes on with: the files as they were sent, whatever has become of them. */
import { resolve } from 'node:path';
import { referenceOf } from '../temporal/release-name.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { startPacking } from './context.ts';
import { loadSpec } from './spec-loading.ts';

/** The name looked for where the user stands. */
const HERE = 'flightline.yaml';

/** Says what is used, and whether the spec that lies here, if it is this release's, has other files by now. */
export async function describeSentFiles(record: ReleaseRecord): Promise<string> {
  const used = 'going on with the files as they were sent when the release was started';
  const retry = `flightline retry ${referenceOf(record.release)} --spec ${HERE}`;
  switch (await compareWithHere(record)) {
    case 'unknown':
      return `${used}; --spec sends them again`;
    case 'same':
      return `${used}; those of ${HERE} are still the same`;
    case 'changed':
      return `warning: ${used}; those of ${HERE} have changed since. To use them: ${retry}`;
  }
}

async function compareWithHere({ image, inputs }: ReleaseRecord): Promise<'same' | 'changed' | 'unknown'> {
  // A spec that is not there, wrong, or another's says nothing about this release.
  const loaded = await loadSpec(resolve(HERE)).catch(() => null);
  if (!loaded?.local || !inputs || !image.reference.startsWith(`${loaded.spec.image.repository}:`)) return 'unknown';
  const packing = startPacking(loaded.local);
  try {
    return (await packing.packed).digest === inputs.context ? 'same' : 'changed';
  } catch {
    return 'unknown';
  } finally {
    await packing.remove();
  }
}
