/** Checks that podman works for disk builds: its storage, and a privileged container that really starts. */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { runCommand } from '../../../activities/tools/process/command.ts';
import { temporaryDirectory } from '../../../activities/tools/temporary-directory.ts';
import { failedBy, LOOK_WITHIN, ok, warning, type Check } from '../check.ts';
import { tinyProgram } from './tiny-program.ts';
import { storageResult } from '../results.ts';

const storage: Check = {
  name: 'container storage',
  roles: ['build'],
  async run() {
    try {
      const { stdout } = await runCommand('podman', ['info', '--format', 'json'], { timeout: LOOK_WITHIN });
      return storageResult(stdout);
    } catch (error) {
      return failedBy(error, 'see that `podman info` works');
    }
  },
};

/** With network set-up, on a slow machine (ms). */
const RUN_WITHIN = 60_000;

const privilegedContainer: Check = {
  name: 'privileged container',
  roles: ['build'],
  async run() {
    const program = tinyProgram();
    if (!program)
      return warning(`cannot try a container on ${process.arch}`, 'try one by hand: podman run --privileged');
    const name = `flightline-doctor-${randomBytes(6).toString('hex')}`;
    const image = `localhost/flightline/doctor:${name}`;
    const { path: directory, remove } = temporaryDirectory('flightline-doctor-');
    try {
      const archive = join(directory, 'root.tar');
      const tar = pack();
      tar.entry({ name: 'true', mode: 0o755 }, program);
      tar.finalize();
      await pipeline(tar, createWriteStream(archive));
      const change = ['--change', 'CMD ["/true"]'];
      await runCommand('podman', ['import', '--quiet', ...change, archive, image], { timeout: LOOK_WITHIN });
      await runCommand('podman', ['run', '--name', name, '--privileged', image], { timeout: RUN_WITHIN });
      return ok('a privileged container with a network starts and ends');
    } catch (error) {
      return failedBy(error, 'fix what podman reports; if the finding "containers.conf" failed, fix that first');
    } finally {
      await quietly(['rm', '--force', '--ignore', name]);
      await quietly(['rmi', '--force', image]);
      await remove();
    }
  },
};

async function quietly(args: readonly string[]): Promise<void> {
  await runCommand('podman', args, { timeout: LOOK_WITHIN }).catch(() => undefined);
}

export const containerChecks: readonly Check[] = [storage, privilegedContainer];
