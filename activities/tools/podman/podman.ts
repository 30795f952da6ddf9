/** Runs podman, and reads its configuration. */
import { z } from 'zod';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { CommandError, lastLines, runCommand, type CommandOptions, type CommandResult } from '../process/command.ts';
import { classifyPodman, type Verdict } from './classify.ts';

/** Lines of output in a failure's message. */
const MESSAGE_LINES = 20;
/** Milliseconds for a command that moves no image, so that a locked storage does not block an activity for ever. */
const QUICK = 5 * 60_000;

/**
 * Runs podman. `what` names the command in a failure: `pulling quay.io/acme/base@sha256:…`. A transfer gets `stall`,
 * after which a hanging one is ended; other commands have 5 minutes, or `timeout`.
 *
 * @throws FlightlineError of the kind that podman's output tells
 */
export async function podman(
  what: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  try {
    return await runCommand('podman', args, options.stall === undefined ? { timeout: QUICK, ...options } : options);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.notFound) throw new FlightlineError('host-setup', 'podman is not installed', { cause: error });
    const last = error.stderr.split('\n').findLast((line) => line.startsWith('Error: '));
    const said = last ?? lastLines(error.stderr || error.stdout, MESSAGE_LINES);
    // A registry may accept a connection and then say nothing.
    const hangs = error.timedOut && options.stall !== undefined;
    const { kind, remedy }: Verdict = hangs ? { kind: 'registry' } : classifyPodman(said);
    throw new FlightlineError(kind, `${what} failed: ${error.timedOut ? error.message : said || error.message}`, {
      remedy,
      cause: error,
    });
  }
}

const Info = z.object({
  host: z.object({ cgroupManager: z.enum(['cgroupfs', 'systemd']) }),
  store: z.object({ graphRoot: z.string(), graphDriverName: z.string() }),
});

/** This host's podman, for other tools. */
export interface PodmanInfo {
  cgroupManager: 'cgroupfs' | 'systemd';
  /** Absolute path of the storage, by default `/var/lib/containers/storage`. */
  graphRoot: string;
  graphDriver: string;
}

/** By the file that `CONTAINERS_STORAGE_CONF` names. */
const known = new Map<string | undefined, Promise<PodmanInfo>>();

/**
 * What podman reports about itself and the storage that it works in. It is asked once per storage: `podman info` also
 * asks the package manager for versions, which takes 0.3 s.
 */
export async function podmanInfo(): Promise<PodmanInfo> {
  const storage = process.env.CONTAINERS_STORAGE_CONF;
  const asked = known.get(storage) ?? askPodman();
  known.set(storage, asked);
  try {
    return await asked;
  } catch (error) {
    if (known.get(storage) === asked) known.delete(storage);
    throw error;
  }
}

async function askPodman(): Promise<PodmanInfo> {
  // Several stages may wait for this answer: the end of one must not end the others' wait.
  const { stdout } = await podman('podman info', ['info', '--format', 'json'], { cleanUp: true });
  const { host, store } = parseOutput('podman info', Info, stdout);
  return { cgroupManager: host.cgroupManager, graphRoot: store.graphRoot, graphDriver: store.graphDriverName };
}

/** Parses the JSON output of a tool. The failure for unexpected output does not quote it. */
export function parseOutput<Schema extends z.ZodType>(what: string, schema: Schema, text: string): z.infer<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new FlightlineError('unexpected', `${what} printed no JSON`);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new FlightlineError(
    'unexpected',
    `${what} printed something else than expected: ${z.prettifyError(parsed.error)}`,
  );
}
