/**
 * Publishes a disk file by the `publish` activity, in a process of its own so that the kernel counts what it writes:
 * `publish-process.ts FORM FILE REPOSITORY`. Prints `{"written": bytes, "seconds": number}`.
 */
import { offeredOn } from '../activities/index.ts';
import { link, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256 } from '../model/base/digest.ts';
import { timingWith } from '../model/base/timing.ts';
import { runActivity } from '../test/support/activity.ts';
import { temporaryHost } from '../test/support/host.ts';
import { writtenBytes } from './readings.ts';

const [form, file, repository] = process.argv.slice(2) as ['artifact' | 'container-disk', string, string];
const host = await temporaryHost();
try {
  const release = `release/${repository}:v1`;
  const output = join(host.work.release(release), 'output');
  await mkdir(output, { recursive: true });
  const path = join(output, 'disk.qcow2');
  await link(file, path);
  const written = async () => writtenBytes(await readFile('/proc/self/io', 'utf8'));
  const before = await written();
  const start = performance.now();
  await runActivity((await offeredOn('transfer', host)).publish, {
    release,
    runId: 'run',
    branch: 'qcow2',
    disk: { type: 'qcow2', publish: form, compress: 'none', repository },
    file: { path, size: (await stat(path)).size },
    inputs: sha256Digest('inputs'),
    image: { repository, tag: 'v1', digest: sha256Digest('image') },
    architecture: 'amd64',
    keepFiles: null,
    timing: timingWith({}),
  });
  const seconds = (performance.now() - start) / 1_000;
  console.log(JSON.stringify({ written: (await written()) - before, seconds }));
} finally {
  await host.remove();
}

function sha256Digest(text: string): string {
  return `sha256:${sha256(text)}`;
}
