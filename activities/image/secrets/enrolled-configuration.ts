/**
 * Early binding: the agent configuration that goes into an image, from Flight Control's client or from a secret.
 * The release's own directory (0700) keeps it until the build is done, for a repeated attempt, and the end of the
 * image's certificate until the release ends.
 */
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildInput } from '../../../model/contract/build.ts';
import { configurationInContext } from '../../context/summary.ts';
import { AGENT_CONFIGURATION, type RequestedEnrollment } from '../../../model/spec/enrollment.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { canonicalJson } from '../../../model/base/digest.ts';
import type { FlightctlConfiguration } from '../../../model/spec/worker-configuration.ts';
import { openSecret, requireAllowed } from '../../trust/secrets.ts';
import { readAgentConfiguration, type AgentConfiguration } from '../../tools/flightctl/agent-configuration.ts';
import { CommandError, runCommand } from '../../tools/process/command.ts';
import { classifyFlightctl, flightctlMessage } from '../../tools/flightctl/classify.ts';
import { requestArguments } from '../../tools/flightctl/flightctl.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { registerSecret } from '../../tools/process/redact.ts';
import type { HostContext } from '../../host/work-directory.ts';

type EarlyEnrollment = Extract<RequestedEnrollment, { binding: 'early' }>;
type EnrollingHost = Pick<HostContext, 'name' | 'configuration' | 'work'>;
type EnrolledBuild = Pick<BuildInput, 'release' | 'runId' | 'pushTo' | 'repository'>;

/** Beyond the server's own deadline (ms): the client may hang all the same. */
const GRACE = 30_000;

/** What a release's directory keeps of its enrollment. */
const Kept = z.object({
  /** The run of the release, and what was asked: another one's certificate is never used. */
  runId: z.string(),
  asked: z.string(),
  /** The agent configuration; null for an operator's own, and once the build is done. */
  text: z.string().nullable(),
  ends: z.iso.datetime(),
  /** An image holds it. */
  built: z.boolean(),
});
type Kept = z.infer<typeof Kept>;

/**
 * The agent configuration of a release's image: the one at hand, else a new one.
 *
 * @throws FlightlineError of the kinds `enrollment…`, `secret…`, and `host-setup` without a client.
 */
export async function agentConfiguration(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<AgentConfiguration> {
  const kept = await readKept(host, build, enrollment);
  if (kept !== null && kept.text !== null) {
    const read = readAgentConfiguration(kept.text, null, new Date());
    if (read.ok) return hidden(read.configuration);
  }
  if ('config' in enrollment) return givenConfiguration(host, build, enrollment.config);
  const configuration = await requestCertificate(host, build, enrollment);
  await writeKept(host, build, enrollment, { ...configuration, built: false });
  return configuration;
}

/** An image holds it now. It may be refused for something else, and be built again with what is at hand. */
export async function noteEnrolled(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
  { text, ends }: Pick<AgentConfiguration, 'text' | 'ends'>,
): Promise<void> {
  await writeKept(host, build, enrollment, { text: 'config' in enrollment ? null : text, ends, built: true });
}

/** The build is done: from now on only the end of the certificate is kept. */
export async function forgetConfiguration(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<void> {
  const kept = await readKept(host, build, enrollment);
  if (kept?.built && kept.text !== null) {
    await writeKept(host, build, enrollment, { text: null, ends: new Date(kept.ends), built: true });
  }
}

/**
 * When the certificate in the image that this run has built here ends; null when it has, or when there is no such
 * image.
 */
export async function enrolledUntil(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<Date | null> {
  const kept = await readKept(host, build, enrollment);
  if (!kept?.built) return null;
  const ends = new Date(kept.ends);
  return ends > new Date() ? ends : null;
}

/**
 * Puts the agent configuration into an unpacked context.
 *
 * @param directory the unpacked context
 * @returns what takes it away again
 * @throws FlightlineError `context-invalid` when the context has a file of that name.
 */
export async function placeConfiguration(
  directory: string,
  configuration: AgentConfiguration,
): Promise<() => Promise<void>> {
  const file = join(directory, AGENT_CONFIGURATION);
  // Resolve looks too; a link must lead nowhere all the same.
  if (await lstat(file).catch(() => null)) throw configurationInContext();
  await writeFile(file, configuration.text, { mode: 0o600, flag: 'wx' });
  return () => rm(file, { force: true });
}

async function givenConfiguration(
  host: EnrollingHost,
  build: EnrolledBuild,
  name: string,
): Promise<AgentConfiguration> {
  const { text } = await openSecret(host.configuration, name, build.pushTo);
  const read = readAgentConfiguration(text, null, new Date());
  if (read.ok) return hidden(read.configuration);
  throw new FlightlineError(
    'enrollment',
    `the secret "${name}" holds no usable agent configuration: ${read.problems.join('; ')}`,
    {
      remedy: `put another agent configuration into the secret "${name}" of ${host.name}`,
    },
  );
}

async function requestCertificate(
  host: EnrollingHost,
  build: EnrolledBuild,
  { signer, days }: Extract<EarlyEnrollment, { days: number }>,
): Promise<AgentConfiguration> {
  const client = host.configuration.flightctl;
  if (!client) {
    throw new FlightlineError('enrollment-login', `${host.name} has no login to Flight Control`, {
      remedy:
        "log in with `flightctl login --config-dir DIR …`, name DIR under `flightctl` in the host's worker " +
        'configuration and restart its worker',
    });
  }
  requireAllowed(`the enrollment of ${host.name}`, client.repositories, build.pushTo);
  const text = await inTurn(client.configDirectory, () => runClient(host, build, client, { signer, days }));
  const read = readAgentConfiguration(text, days, new Date());
  if (read.ok) return hidden(read.configuration);
  throw new FlightlineError('enrollment', `what flightctl answered cannot be used: ${read.problems.join('; ')}`, {
    remedy: "see that the host's flightctl and the Flight Control service belong together and that their clocks agree",
  });
}

/** Runs the client once. It writes a key into its output directory first of all, and leaves it there when it fails. */
async function runClient(
  host: EnrollingHost,
  build: EnrolledBuild,
  client: FlightctlConfiguration,
  request: { signer: string; days: number },
): Promise<string> {
  // Below the release's directory: what a killed worker leaves goes with it.
  const scratch = join(host.work.release(build.release), 'flightctl');
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  const { configDirectory, requestTimeout: timeout } = client;
  const args = requestArguments({ ...request, configDirectory, timeout, outputDirectory: join(scratch, 'keys') });
  try {
    const options = { cwd: scratch, environment: { HOME: scratch }, timeout: timeout * 1000 + GRACE };
    return (await runCommand(client.program, args, options)).stdout;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    // The error itself goes no further: its standard output may hold a key.
    if (error.notFound) {
      throw new FlightlineError('host-setup', `${client.program} is not installed on ${host.name}`, {
        remedy:
          'install flightctl-cli on the build host, or name the program as flightctl.program in its worker ' +
          'configuration',
      });
    }
    if (error.timedOut) throw new FlightlineError('enrollment-service', `flightctl did not end in ${timeout} s`);
    const { kind, remedy } = classifyFlightctl(error.stderr);
    const said = flightctlMessage(error.stderr) || `it ended with exit code ${error.exitCode}`;
    throw new FlightlineError(kind, `flightctl gave no enrollment certificate: ${said}`, { remedy });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Calls that run or wait, by login. */
const calls = new Map<string, Promise<unknown>>();

/** One call after another: the client renews its login by writing the file anew, and two at once would lose it. */
async function inTurn<Result>(configDirectory: string, call: () => Promise<Result>): Promise<Result> {
  const before = calls.get(configDirectory) ?? Promise.resolve();
  const own = before.then(call);
  calls.set(
    configDirectory,
    own.catch(() => undefined),
  );
  return own;
}

function hidden(configuration: AgentConfiguration): AgentConfiguration {
  for (const secret of configuration.secrets) registerSecret(secret);
  return configuration;
}

function keptFile(host: EnrollingHost, build: EnrolledBuild): string {
  return join(host.work.release(build.release), 'enrollment.json');
}

async function readKept(host: EnrollingHost, build: EnrolledBuild, enrollment: EarlyEnrollment): Promise<Kept | null> {
  // Whoever reads nothing asks again.
  const kept = await readNote(keptFile(host, build), Kept);
  return kept?.runId === build.runId && kept.asked === canonicalJson(enrollment) ? kept : null;
}

async function writeKept(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
  { text, ends, built }: Pick<Kept, 'text' | 'built'> & { ends: Date },
): Promise<void> {
  const file = keptFile(host, build);
  const kept: Kept = { runId: build.runId, asked: canonicalJson(enrollment), text, ends: ends.toISOString(), built };
  await mkdir(host.work.release(build.release), { recursive: true, mode: 0o700 });
  await writeNote(file, Kept, kept);
}
