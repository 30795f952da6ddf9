/** Runs one gate over one thing, and tells what it said. */
import { formatDuration } from '../../model/base/duration.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { removeContainer } from '../tools/podman/container/container.ts';
import { gateArguments, type GateContainer } from '../tools/podman/container/gate-container.ts';
import { classifyPodman } from '../tools/podman/classify.ts';
import type { CappedLog } from '../tools/process/capped-log.ts';
import { CommandError, lastLines, runCommand } from '../tools/process/command.ts';

/** Milliseconds that podman may take to start and to end a container, besides the gate's own time. */
const PODMAN_TAKES = 60_000;
/** Last lines of a gate that a person is shown. */
const SHOWN_LINES = 15;
/** podman's own exit code for what is no fault of the container. */
const PODMAN_FAILED = 125;

/**
 * Runs the container to its end, and removes it, also when the stage is cancelled.
 *
 * @param configuration path of GATE_CONTAINERS_CONF
 * @returns why it refused, in words; null when it passed
 * @throws FlightlineError when podman could not run it, which says nothing of what it was to look at
 */
export async function runGate(container: GateContainer, configuration: string, log: CappedLog): Promise<string | null> {
  const { name, timeout } = container;
  // What an earlier attempt left.
  await removeContainer(name);
  const begun = Date.now();
  const said: string[] = [];
  const onLine = (line: string) => {
    log.write(line);
    said.push(line.slice(0, 500));
    if (said.length > SHOWN_LINES) said.shift();
  };
  const environment = { CONTAINERS_CONF_OVERRIDE: configuration };
  try {
    const options = { environment, onLine, keepOutput: false, timeout: timeout + PODMAN_TAKES };
    await runCommand('podman', gateArguments(container), options);
    return null;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.timedOut || Date.now() - begun >= timeout)
      return refusal(`did not end within ${formatDuration(timeout)}`, said);
    requireRun(error);
    return refusal(`ended with exit code ${error.exitCode}`, said);
  } finally {
    await removeContainer(name);
  }
}

/** @throws FlightlineError unless the exit code is the container's own. */
function requireRun(error: CommandError): void {
  if (error.notFound) throw new FlightlineError('host-setup', 'podman is not installed', { cause: error });
  if (error.exitCode === null) {
    throw new FlightlineError('container-lost', `podman was ended from outside while a gate ran: ${error.message}`);
  }
  const last = lastLines(error.stderr, 1);
  if (error.exitCode !== PODMAN_FAILED || !last.startsWith('Error: ')) return;
  const { kind, remedy } = classifyPodman(last);
  throw new FlightlineError(kind, `podman could not run a gate: ${last}`, { remedy, cause: error });
}

function refusal(how: string, said: readonly string[]): string {
  const lines = said.filter((line) => line.trim() !== '');
  return lines.length === 0 ? `it ${how}, and printed nothing` : `it ${how}:\n${lines.join('\n')}`;
}
