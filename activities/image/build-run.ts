/**
 * One run of `podman build` for a release: its cgroup, its temporary directory, its log, and the meaning of its end.
 */
import { mkdir, readFile, rm, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildInput } from '../../model/contract/build.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { FailureKind } from '../../model/failure/failures.ts';
import type { Task } from '../tools/process/task.ts';
import { endProcesses, forgetWorkingContainers, noteWorkingContainers } from '../tools/podman/build-process.ts';
import { BuildOutput, missingImage, type BuiltStep, type UsedImage } from '../tools/podman/build-output.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import { buildCgroup } from '../tools/process/cgroup.ts';
import { CommandError, runCommand } from '../tools/process/command.ts';
import { openNamedPipe } from '../tools/process/named-pipe.ts';
import { unmountBelow } from '../tools/mounts.ts';
import { redact } from '../tools/process/redact.ts';
import { buildArguments, type BuildCommand } from '../tools/podman/build.ts';
import { classifyBuild, type FailedBuild } from '../tools/podman/classify.ts';
import { inspectImage, type LocalImage } from '../tools/podman/images.ts';
import { podmanInfo } from '../tools/podman/podman.ts';
import { allEnded } from '../tools/together.ts';
import type { HostContext } from '../host/work-directory.ts';
import { Shortage } from './shortage.ts';

/** How many of a build's last lines its failure shows. */
const MESSAGE_LINES = 25;
/** How often a build is run when a clean-up disturbs it each time. */
const TRIES = 3;

/** What a run needs besides podman's arguments. */
export interface BuildRun extends Omit<BuildCommand, 'idFile' | 'cgroup' | 'output'> {
  /** Where `--mount=type=cache` keeps its files; null for the build's temporary directory. */
  cache: string | null;
  /** Told of each step that is not from podman's cache. */
  onMade?: (step: BuiltStep) => void;
}

/** How a run ended: with an image, or at an image that podman does not have. */
type BuildEnd = ({ image: LocalImage; used: readonly UsedImage[] } | { missing: string; failure: FlightlineError }) & {
  /** What podman said of its steps. */
  output: Pick<BuildOutput, 'cached' | 'made'>;
};

/**
 * Runs the build, and at once again when a clean-up has removed what podman was looking at. Its output goes to the log.
 *
 * @throws FlightlineError of the kind that podman's words tell
 */
export async function podmanBuild(...given: Parameters<typeof runOnce>): Promise<BuildEnd> {
  for (let left = TRIES - 1; ; left--) {
    const end = await runOnce(...given);
    if (!('again' in end)) return end;
    if (left === 0) throw end.again;
  }
}

async function runOnce(
  host: HostContext,
  { release, platform }: Pick<BuildInput, 'release' | 'platform'>,
  context: Task,
  logFile: string,
  run: BuildRun,
): Promise<BuildEnd | { again: FlightlineError }> {
  const own = host.work.release(release);
  const idFile = join(own, 'image-id');
  const { cgroupManager, graphRoot } = await podmanInfo();
  const cgroup = buildCgroup(cgroupManager, host.work.installation, release, platform);
  const pipe = join(own, 'build-output');
  const args = buildArguments({ ...run, idFile, cgroup, output: pipe });
  await rm(pipe, { force: true });
  const mkfifo = runCommand('mkfifo', ['--mode=600', pipe]);
  const [temporary] = await allEnded([temporaryDirectory(own, run.cache), noteWorkingContainers(own), mkfifo]);
  const log = new CappedLog(logFile, 'a');
  const output = new BuildOutput(run.onMade);
  const shortage = new Shortage([graphRoot, own]);
  const endPipe = openNamedPipe(pipe, (line) => readLine(line, { output, shortage, log, context }));
  // RUN steps hold the pipe open. Unless they end too, podman's end is not noticed.
  const end = () => void endProcesses(cgroup);
  context.signal.addEventListener('abort', end, { once: true });
  try {
    const environment = { TMPDIR: temporary };
    await runCommand('podman', args, { keepOutput: false, environment, cwd: run.context }).finally(endPipe);
    await forgetWorkingContainers(own);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastWords(error, run);
    if (said !== '') log.write(said);
    const { failure, again } = buildError(error, log, { error: said, shortage, output });
    if (again) return { again: failure };
    const missing = error.exitCode === null ? null : missingImage(said);
    if (missing === null) throw failure;
    return { missing, failure, output };
  } finally {
    context.signal.removeEventListener('abort', end);
    await log.close();
    await removeTemporary(temporary);
  }
  const { begun, usesImage, used, isRunning } = output;
  if (!begun || isRunning || (usesImage && used.size === 0)) throw notUnderstood(host.name);
  const id = (await readFile(idFile, 'utf8')).trim().replace('sha256:', '');
  const image = await inspectImage(id);
  if (!image) throw new FlightlineError('unexpected', `podman built ${id} and does not know it any more`);
  return { image, used: [...used.values()], output };
}

interface Reading {
  output: BuildOutput;
  shortage: Shortage;
  log: CappedLog;
  context: Task;
}

function readLine(line: string, { output, shortage, log, context }: Reading): void {
  const wasRunning = output.isRunning;
  const shown = output.read(line);
  if (output.isRunning && !wasRunning) shortage.begin();
  // A failed step's files are gone before podman says that it failed.
  if (wasRunning && !output.isRunning) shortage.look();
  if (!shown) return;
  const { step } = shown;
  const text = redact(shown.text);
  log.write(text);
  // Only a reason to look: a step may tidy up before it ends.
  if (/no space left on device/i.test(text)) shortage.look();
  context.report({
    line: text,
    ...(step && { step: redact(step.instruction), done: step.number - 1, total: step.total }),
  });
}

/** podman has built, but its notes name no image that it took, or no end of a RUN, so that the bases are unknown. */
function notUnderstood(host: string): FlightlineError {
  return new FlightlineError('host-setup', `podman on ${host} does not say which images a build has used`, {
    remedy: {
      action: `install podman 4.9 to 5.4 on ${host}, or a newer flightline`,
      then: 'retry',
    },
  });
}

/**
 * Makes a directory for files that podman would share between all builds of a host: the text of a heredoc, under its
 * delimiter, and what RUN caches, under the name of the cache.
 */
async function temporaryDirectory(own: string, cache: string | null): Promise<string> {
  const directory = join(own, 'tmp');
  await removeTemporary(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (cache !== null) {
    await mkdir(cache, { recursive: true, mode: 0o700 });
    // Its time tells the janitor when it was last used.
    await utimes(cache, new Date(), new Date());
    await symlink(cache, join(directory, `buildah-cache-${process.getuid!()}`));
  }
  return directory;
}

async function removeTemporary(directory: string): Promise<void> {
  await unmountBelow(directory);
  await rm(directory, { recursive: true, force: true });
}

/** podman's own last words, with the author's paths. */
function lastWords({ stderr }: CommandError, { context, containerfile }: BuildRun): string {
  const at = stderr.search(/^Error: (?![^]*^Error: )/m);
  if (at < 0) return '';
  return (
    stderr
      .slice(at)
      // podman may print this note after it has closed its log file.
      .replace(/^Failed to write to log, .*$/gm, '')
      .trim()
      .replaceAll(`${context}/`, '')
      .replaceAll(`${dirname(containerfile)}/`, '')
      .replaceAll(context, '.')
      .replaceAll(`${dirname(context)}/`, '')
  );
}

function buildError(
  error: CommandError,
  log: CappedLog,
  { error: said, output, shortage }: Pick<FailedBuild, 'error'> & { output: BuildOutput; shortage: Shortage },
) {
  const { begun, startFailure } = output;
  const { diskFull, outOfMemory } = shortage;
  const failureOf = (kind: FailureKind, message: string, remedy?: string) =>
    new FlightlineError(kind, message, { remedy, cause: error });
  if (error.notFound) return { failure: failureOf('host-setup', 'podman is not installed') };
  // No cancellation sent the signal: the kernel ran out of memory, or a person ended the build.
  if (error.signal !== null) {
    return { failure: failureOf('worker-restarted', `podman build was ended by ${error.signal} from outside`) };
  }
  const lines = log.tail(MESSAGE_LINES).filter((line) => line.trim() !== '');
  const { kind, remedy, again } = classifyBuild({ error: said, begun, startFailure, diskFull, outOfMemory });
  return { failure: failureOf(kind, `podman build failed:\n${lines.join('\n')}`, remedy), again };
}
