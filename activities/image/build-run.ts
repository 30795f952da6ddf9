/** One run of `podman build` for a release: its cgroup, its log, and what its end means. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../model/release/failure.ts';
import type { Task } from '../tools/process/task.ts';
import { endProcesses, noteWorkingContainers } from '../tools/podman/build-process.ts';
import { CappedLog } from '../tools/process/capped-log.ts';
import { buildCgroup } from '../tools/process/cgroup.ts';
import { CommandError, runCommand } from '../tools/process/command.ts';
import { buildArguments, type BuildCommand } from '../tools/podman/build.ts';
import { classifyBuild } from '../tools/podman/failure.ts';
import { inspectImage, podmanInfo, type LocalImage } from '../tools/podman/podman.ts';
import type { HostContext } from '../host/work-directory.ts';

/** Last lines of a build in its failure. */
const MESSAGE_LINES = 25;

/**
 * Runs it, and answers the image. Its output goes to the log file.
 *
 * @throws FlightlineError of the kind that podman's words mean
 */
export async function podmanBuild(
  host: HostContext,
  release: string,
  context: Task,
  logFile: string,
  command: Omit<BuildCommand, 'idFile' | 'cgroup'>,
): Promise<LocalImage> {
  const own = host.work.release(release);
  const idFile = join(own, 'image-id');
  const { cgroupManager } = await podmanInfo();
  const cgroup = buildCgroup(cgroupManager, host.work.installation, release);
  const args = buildArguments({ ...command, idFile, cgroup });
  await noteWorkingContainers(own);
  const log = new CappedLog(logFile, 'a');
  // RUN steps hold podman's output open; unless they end too, podman's end would not be noticed.
  const end = () => void endProcesses(cgroup);
  context.signal.addEventListener('abort', end, { once: true });
  try {
    await runCommand('podman', args, { keepOutput: false, onLine: (line) => follow(line, log, context) });
  } catch (error) {
    if (error instanceof CommandError) throw buildFailure(error, log);
    throw error;
  } finally {
    context.signal.removeEventListener('abort', end);
    await log.close();
  }
  const id = (await readFile(idFile, 'utf8')).trim().replace('sha256:', '');
  const image = await inspectImage(id);
  if (!image) throw new FlightlineError('unexpected', `podman built ${id} and does not know it any more`);
  return image;
}

function follow(line: string, log: CappedLog, context: Task): void {
  log.write(line);
  const step = /^(?:\[\d+\/\d+\] )?STEP (\d+)\/(\d+): (.{1,100})/.exec(line);
  context.report({
    line,
    ...(step ? { step: step[3]!, done: Number(step[1]) - 1, total: Number(step[2]) } : {}),
  });
}

function buildFailure(error: CommandError, log: CappedLog): FlightlineError {
  if (error.notFound) return new FlightlineError('host-setup', 'podman is not installed', { cause: error });
  // A signal that no cancellation sent: the kernel ran out of memory, or a person ended it.
  if (error.signal !== null) {
    return new FlightlineError('worker-restarted', `podman build was ended by ${error.signal} from outside`, {
      cause: error,
    });
  }
  const lines = log.tail(MESSAGE_LINES).filter((line) => line.trim() !== '');
  const { kind, remedy } = classifyBuild(log.tail(200).join('\n'));
  return new FlightlineError(kind, `podman build failed:\n${lines.join('\n')}`, {
    remedy,
    cause: error,
  });
}
