/**
 * Checks an image before it is pushed: what bootc refuses would fail on the device, and Flight Control's guide has more
 * advice.
 */
import { z } from 'zod';
import { OCI } from '../../model/oci/labels.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import type { Task } from '../tools/process/task.ts';
import { lintArguments, lintContainerName, readLint, type LintCommand } from '../tools/podman/bootc-lint.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import { removeContainer } from '../tools/podman/container/container.ts';
import { nameByDigest } from '../tools/podman/build.ts';
import { type LocalImage } from '../tools/podman/images.ts';
import { podman } from '../tools/podman/podman.ts';
import { imageAdvice } from './advice/image-advice.ts';

/** Longest time to read the file tree once (ms). */
const WITHIN = 15 * 60_000;
/** How many of its last lines a failure shows. */
const MESSAGE_LINES = 25;
/**
 * Exit codes below podman's own (podman-run(1): 125 to 127) are the program's. 127 also tells something of the image.
 */
const ENDINGS = [...Array.from({ length: 125 }, (_, code) => code), 127];

/**
 * Lints an image with its own bootc, if it has one. The output goes to the build's log, warnings to the worker's log
 * too.
 *
 * @throws FlightlineError `image-lint` with what bootc said.
 */
export async function lintImage(command: LintCommand, logFile: string, context: Task): Promise<void> {
  const name = lintContainerName(command);
  context.report({ step: 'bootc container lint', done: undefined, total: undefined });
  const lines: string[] = [];
  const log = new CappedLog(logFile, 'a');
  try {
    const run = () => {
      lines.length = 0;
      const onLine = (line: string) => void lines.push(line);
      const options = { timeout: WITHIN, okExitCodes: ENDINGS, keepOutput: false, onLine };
      return podman('linting the image', lintArguments(command), options);
    };
    const { exitCode } = await run().catch(async (error: unknown) => {
      // A container that a killed worker left has the name.
      if (context.cancelReason() === undefined && (await removeContainer(name))) return run();
      throw error;
    });
    const verdict = readLint(exitCode, lines);
    if (verdict.kind === 'absent') {
      log.write('-- the image has no bootc: not linted --');
      return;
    }
    log.write('-- bootc container lint --');
    for (const line of lines) log.write(line);
    for (const line of verdict.warnings) context.log('WARN', line, { release: command.release });
    if (verdict.kind === 'passed') return;
    const said = lines.filter((line) => line.trim() !== '').slice(-MESSAGE_LINES);
    throw new FlightlineError('image-lint', `bootc container lint refused the image:\n${said.join('\n')}`);
  } finally {
    await log.close();
    // After any interruption: as the first process of its container bootc ignores SIGTERM.
    if (context.cancelReason()) await removeContainer(name);
  }
}

/** What `podman image diff` prints: absolute paths, directories among them. */
const ImageDiff = z.object({ added: z.array(z.string()).default([]), changed: z.array(z.string()).default([]) });

/**
 * The advice on an image, a line each, except on files that the spec asks for. None when podman cannot compare it with
 * its base, as when that is not on this host.
 */
export async function lookAtImage(
  { id, labels }: Pick<LocalImage, 'id' | 'labels'>,
  bases: readonly PinnedImage[],
  requested: readonly string[],
): Promise<string[]> {
  const base = bases.find(({ digest }) => digest === labels[OCI.baseDigest]);
  if (!base) return [];
  const args = ['image', 'diff', '--format', 'json', id, nameByDigest(base)];
  const { exitCode, stdout } = await podman(`comparing ${id} with its base`, args, { okExitCodes: [0, 125] });
  if (exitCode !== 0) return [];
  const { added, changed } = ImageDiff.parse(JSON.parse(stdout));
  return imageAdvice({ added: added.filter((path) => !requested.includes(path)), changed });
}
