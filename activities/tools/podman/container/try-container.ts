/** Tries whether podman runs programs of an architecture, by running one. */
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Architecture } from '../../../../model/base/host.ts';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import { CommandError, lastLines, runCommand } from '../../process/command.ts';
import { temporaryDirectory } from '../../temporary-directory.ts';
import { tinyProgram } from './tiny-program.ts';

/** Milliseconds for a command that only looks. */
const LOOK_WITHIN = 30_000;
/** With network set-up, on a slow machine (ms). */
const RUN_WITHIN = 60_000;

/**
 * Runs the smallest program of an architecture in a container, and removes both.
 *
 * @param flags of `podman run`
 * @throws CommandError with podman's words when it does not run
 */
export async function tryContainer(architecture: Architecture, flags: readonly string[]): Promise<void> {
  const name = `flightline-try-${randomBytes(6).toString('hex')}`;
  const image = `localhost/flightline/try:${name}`;
  const { path: directory, remove } = temporaryDirectory('flightline-try-');
  try {
    const archive = join(directory, 'root.tar');
    const tar = pack();
    tar.entry({ name: 'true', mode: 0o755 }, tinyProgram(architecture));
    tar.finalize();
    await pipeline(tar, createWriteStream(archive));
    const about = [`--arch=${architecture}`, '--os=linux', '--change', 'CMD ["/true"]'];
    await runCommand('podman', ['import', '--quiet', ...about, archive, image], { timeout: LOOK_WITHIN });
    const run = ['run', '--pull=never', '--name', name, `--platform=linux/${architecture}`, ...flags, image];
    await runCommand('podman', run, { timeout: RUN_WITHIN });
  } finally {
    await quietly(['rm', '--force', '--ignore', name]);
    await quietly(['rmi', '--force', image]);
    await remove();
  }
}

/**
 * Tries the emulation of an architecture, as a RUN step would use it.
 *
 * @throws FlightlineError `architecture` when podman starts no program of it
 */
export async function requireEmulation(architecture: Architecture): Promise<void> {
  try {
    await tryContainer(architecture, ['--network=none']);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.stderr, 1) || error.message;
    throw new FlightlineError('architecture', `podman runs no program for ${architecture} here: ${said}`, {
      cause: error,
    });
  }
}

async function quietly(args: readonly string[]): Promise<void> {
  await runCommand('podman', args, { timeout: LOOK_WITHIN, cleanUp: true }).catch(() => undefined);
}
