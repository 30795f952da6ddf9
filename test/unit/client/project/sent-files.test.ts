/** What `flightline retry` says of the files that it goes on with. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startPacking } from '../../../../client/project/context.ts';
import { describeSentFiles } from '../../../../client/project/sent-files.ts';
import { loadSpec } from '../../../../client/project/spec-loading.ts';
import { DIGEST, record } from '../view/record.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-sent-'));
  // A thread of vitest has no directory of its own to change to.
  vi.spyOn(process, 'cwd').mockReturnValue(directory);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

async function write(repository: string): Promise<string> {
  await writeFile(join(directory, 'Containerfile'), 'FROM quay.io/a/b:1\n');
  const spec = `name: a\nimage: { repository: ${repository}, tag: v1 }\nsigning: { key: release }\ndisks: []\n`;
  await writeFile(join(directory, 'flightline.yaml'), spec);
  const { local } = await loadSpec(join(directory, 'flightline.yaml'));
  const packing = startPacking(local!);
  const { digest } = await packing.packed;
  await packing.remove();
  return digest;
}

const held = (context: string) => record({ release: 'release/quay.io/acme/edge-camera:v1', inputs: inputsOf(context) });
const inputsOf = (context: string) => ({ image: DIGEST, disks: {}, base: [], builder: null, context });
const USED = 'going on with the files as they were sent when the release was started';

it('says that the files have changed since, and how they are used', async () => {
  await write('quay.io/acme/edge-camera');
  expect(await describeSentFiles(held(DIGEST))).toBe(
    `warning: ${USED}; those of flightline.yaml have changed since. ` +
      'To use them: flightline retry quay.io/acme/edge-camera:v1 --spec flightline.yaml',
  );
});

it('says that they have not', async () => {
  const digest = await write('quay.io/acme/edge-camera');
  expect(await describeSentFiles(held(digest))).toBe(`${USED}; those of flightline.yaml are still the same`);
});

it.each(['another spec', 'none'])('knows nothing of them where %s lies', async (what) => {
  if (what !== 'none') await write('quay.io/acme/other');
  expect(await describeSentFiles(held(DIGEST))).toBe(`${USED}; --spec sends them again`);
});
