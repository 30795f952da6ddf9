/** Loads the operator's worker configuration, and what follows from it about this machine. */
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { FlightlineError } from '../model/failure/failure.ts';
import { architectureOf, HostName, type Architecture } from '../model/base/host.ts';
import { formatProblems, parseYamlFile } from '../model/spec/spec-file.ts';
import { DEFAULT_WORKER_CONFIGURATION, WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/** The parsed worker configuration, and where it came from. */
interface LoadedConfiguration {
  configuration: WorkerConfiguration;
  /** The file; null when the default file does not exist and the defaults hold. */
  file: string | null;
}

/**
 * Reads the worker configuration. Without a file named, the default place is looked at, and the defaults hold when
 * nothing is there.
 *
 * @throws FlightlineError `invalid-input` with every problem at its line and column, or when a named file cannot be
 * read.
 */
export async function loadWorkerConfiguration(file?: string): Promise<LoadedConfiguration> {
  const path = file ?? DEFAULT_WORKER_CONFIGURATION;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (file === undefined && code === 'ENOENT') return { configuration: WorkerConfiguration.parse({}), file: null };
    throw new FlightlineError(
      'invalid-input',
      code === 'ENOENT'
        ? `there is no worker configuration ${path}`
        : `the worker configuration cannot be read: ${message}`,
      { remedy: 'name the right file with --config, or make it readable for the worker' },
    );
  }
  const parsed = parseYamlFile(text, WorkerConfiguration);
  if (!parsed.ok) throw invalid(path, parsed.problems);
  return { configuration: parsed.value, file: path };
}

/**
 * A configuration with what the text of another file says: maps and lists are joined, anything else is replaced.
 *
 * @throws FlightlineError `invalid-input` with every problem of the file
 */
export function joinedConfiguration(
  configuration: WorkerConfiguration,
  text: string,
  path: string,
): WorkerConfiguration {
  const checked = parseYamlFile(text, WorkerConfiguration);
  // Without the schema's defaults: what the file does not say replaces nothing.
  const said = parseYamlFile(text, z.record(z.string(), z.unknown()));
  if (!checked.ok || !said.ok) throw invalid(path, checked.ok ? [] : checked.problems);
  const joined: Record<string, unknown> = { ...configuration };
  for (const [name, value] of Object.entries(said.value)) {
    const before = joined[name];
    if (Array.isArray(value)) joined[name] = [...((before ?? []) as unknown[]), ...(value as unknown[])];
    else if (typeof value === 'object') joined[name] = { ...(before as object | undefined), ...value };
    else joined[name] = value;
  }
  return WorkerConfiguration.parse(joined);
}

function invalid(path: string, problems: Parameters<typeof formatProblems>[1]): FlightlineError {
  return new FlightlineError('invalid-input', formatProblems(path, problems), { remedy: `correct ${path}` });
}

/**
 * The host's name: the one given on the command line, else the configured one, else the machine's.
 *
 * @throws FlightlineError `invalid-input` when it is not a host name.
 */
export function chooseHostName(
  given: string | undefined,
  configuration: Pick<WorkerConfiguration, 'host'>,
  machine: string = hostname(),
): string {
  const name = given ?? configuration.host ?? machine.toLowerCase();
  const parsed = HostName.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new FlightlineError('invalid-input', `"${name}" ${parsed.error.issues[0]!.message}`, {
    remedy: 'name the host with --host-name, or with `host:` in the worker configuration',
  });
}

/**
 * The architecture of this machine, from Node's name of it.
 *
 * @throws FlightlineError `host-setup` for an architecture that flightline cannot build on.
 */
export function machineArchitecture(node: string = process.arch): Architecture {
  const architecture = architectureOf(node);
  if (architecture) return architecture;
  throw new FlightlineError('host-setup', `a build worker cannot run on ${node}`, {
    remedy: 'run build workers on x86-64 or 64-bit ARM',
  });
}
