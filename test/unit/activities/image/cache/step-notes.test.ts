import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { StepNotes } from '../../../../../activities/image/cache/step-notes.ts';

it('a step is known with the same images under the same circumstances only', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-notes-'));
  try {
    const volumes = ['/etc/pki:/run/secrets:ro'];
    const step = { instruction: 'RUN true', id: '0123456789ab', images: ['a', 'b'] };
    const notes = new StepNotes(join(directory, 'caches'), { buildArgs: { V: '1' } }, volumes);
    expect(await notes.knows(step)).toBe(false);
    notes.note(step);
    notes.note({ ...step, id: 'another' });
    expect(await notes.knows(step)).toBe(true);
    expect(await notes.knows({ ...step, images: ['a'] })).toBe(false);
    expect(await notes.knows({ ...step, id: '0123456789' })).toBe(false);
    const others: [object, string[]][] = [
      [{}, []],
      [{ annotations: { a: 'b' } }, volumes],
      [{ buildArgs: { https_proxy: 'http://proxy' } }, volumes],
    ];
    for (const [options, mounted] of others) {
      const other = new StepNotes(join(directory, 'caches'), { buildArgs: {}, ...options }, mounted);
      expect(await other.knows(step)).toBe(false);
    }
    const same = new StepNotes(join(directory, 'caches'), { buildArgs: { V: '2' } }, volumes);
    expect(await same.knows(step)).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});
