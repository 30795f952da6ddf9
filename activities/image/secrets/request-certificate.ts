/**
 * Requests an enrollment certificate from Flight Control's client. After the client or its worker was killed, it
 * fetches the issued certificate: a second request would leave the first one behind, valid for a year.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BuildInput } from '../../../model/contract/build.ts';
import type { RequestedEnrollment } from '../../../model/spec/enrollment.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { canonicalJson } from '../../../model/base/digest.ts';
import type { FlightctlConfiguration } from '../../../model/spec/worker-configuration.ts';
import { requireAllowed } from '../../trust/secrets.ts';
import { readAgentConfiguration, type AgentConfiguration } from '../../tools/flightctl/agent-configuration.ts';
import { CommandError, runCommand } from '../../tools/process/command.ts';
import { classifyFlightctl, flightctlMessage } from '../../tools/flightctl/classify.ts';
import {
  enrollmentConfigArguments,
  issuedArguments,
  requestArguments,
  requestName,
  submittedRequest,
} from '../../tools/flightctl/flightctl.ts';
import { readNote, writeNoteSync } from '../../tools/note.ts';
import type { HostContext } from '../../host/work-directory.ts';

export type EarlyEnrollment = Extract<RequestedEnrollment, { binding: 'early' }>;
export type EnrollingHost = Pick<HostContext, 'name' | 'configuration' | 'work'>;
export type EnrolledBuild = Pick<BuildInput, 'release' | 'runId' | 'pushTo' | 'repository'>;
type Asked = Extract<EarlyEnrollment, { days: number }>;

/** An agent configuration, and the request in Flight Control that it was issued for; null for an operator's own. */
export interface Enrolled extends AgentConfiguration {
  request: string | null;
}

/** Added to the server's own deadline (ms), since the client may hang even so. */
const GRACE = 30_000;

/** A request that the server has accepted. */
const Submitted = z.object({
  /** The run of the release, and the request: another run's certificate is never used. */
  runId: z.string(),
  asked: z.string(),
  request: z.string(),
  /** Name of its files in the directory of keys. */
  name: z.string(),
});

/** @throws FlightlineError of the kinds `enrollment…` and `secret…`, and `host-setup` without a client. */
export async function requestCertificate(host: EnrollingHost, build: EnrolledBuild, asked: Asked): Promise<Enrolled> {
  const client = host.configuration.flightctl;
  if (!client) {
    throw new FlightlineError('enrollment-login', `${host.name} has no login to Flight Control`, {
      remedy:
        "log in with `flightctl login --config-dir DIR …`, name DIR under `flightctl` in the host's worker " +
        'configuration and restart its worker',
    });
  }
  requireAllowed(`the enrollment of ${host.name}`, client.repositories, build.pushTo);
  return inTurn(client.configDirectory, () => new Enrolling(host, build, client, asked).certificate());
}

/** One enrollment. Its files are below the release's directory, and go with it at the latest. */
class Enrolling {
  private readonly host: EnrollingHost;
  private readonly build: EnrolledBuild;
  private readonly client: FlightctlConfiguration;
  private readonly asked: Asked;
  private readonly scratch: string;
  private readonly note: string;

  constructor(host: EnrollingHost, build: EnrolledBuild, client: FlightctlConfiguration, asked: Asked) {
    this.host = host;
    this.build = build;
    this.client = client;
    this.asked = asked;
    this.scratch = join(host.work.release(build.release), 'flightctl');
    this.note = join(this.scratch, 'request.json');
  }

  async certificate(): Promise<Enrolled> {
    const issued = await this.issued();
    if (issued) return issued;
    await this.prepare();
    try {
      // An account that lacks a right would leave a certificate behind that nobody can fetch.
      await this.run(enrollmentConfigArguments(this.client.configDirectory));
      const { text, request } = await this.request();
      const read = readAgentConfiguration(text, this.asked.days, new Date());
      if (!read.ok) throw this.unusable(read.problems);
      await this.forget();
      return { ...read.configuration, request };
    } catch (error) {
      // A request without an answer may have been issued.
      const isUnanswered = error instanceof FlightlineError && error.failure.kind === 'enrollment-service';
      if (!isUnanswered || !(await readNote(this.note, Submitted))) await this.forget();
      throw error;
    }
  }

  /** The certificate of an earlier attempt's request; null when none can be used. */
  private async issued(): Promise<Enrolled | null> {
    const submitted = await readNote(this.note, Submitted);
    if (submitted?.runId !== this.build.runId || submitted.asked !== canonicalJson(this.asked)) return null;
    const { request, name } = submitted;
    const key = join(this.scratch, 'keys', `${name}.key`);
    try {
      const text = await this.run(issuedArguments(this.client.configDirectory, request, key));
      const read = readAgentConfiguration(text, this.asked.days, new Date());
      if (!read.ok) return null;
      await this.forget();
      return { ...read.configuration, request };
    } catch (error) {
      // The server may know it later. A new request will report any other problem.
      if (error instanceof FlightlineError && error.failure.kind !== 'enrollment-service') return null;
      throw error;
    }
  }

  private async request(): Promise<{ text: string; request: string | null }> {
    const { configDirectory, requestTimeout: timeout } = this.client;
    const name = requestName(this.build.release);
    const { signer, days } = this.asked;
    const outputDirectory = join(this.scratch, 'keys');
    let request: string | null = null;
    const text = await this.run(
      requestArguments({ signer, days, name, configDirectory, timeout, outputDirectory }),
      (line) => {
        request ??= submittedRequest(line) ?? null;
        if (request === null) return;
        const { runId } = this.build;
        writeNoteSync(this.note, Submitted, { runId, asked: canonicalJson(this.asked), request, name });
      },
    );
    return { text, request };
  }

  private async prepare(): Promise<void> {
    await this.forget();
    await mkdir(this.scratch, { recursive: true, mode: 0o700 });
  }

  private forget(): Promise<void> {
    return rm(this.scratch, { recursive: true, force: true });
  }

  /** Runs the client. It first writes a key into its output directory, and leaves it there when it fails. */
  private async run(args: string[], onError: (line: string) => void = () => undefined): Promise<string> {
    const { client, host, scratch } = this;
    const timeout = client.requestTimeout * 1000 + GRACE;
    try {
      const environment = { HOME: scratch };
      const onLine = (line: string, stream: 'stdout' | 'stderr') => stream === 'stderr' && onError(line);
      return (await runCommand(client.program, args, { cwd: scratch, environment, timeout, onLine })).stdout;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      // Do not pass on the error itself: its standard output may hold a key.
      if (error.notFound) {
        throw new FlightlineError('host-setup', `${client.program} is not installed on ${host.name}`, {
          remedy:
            'install flightctl-cli on the build host, or name the program as flightctl.program in its worker ' +
            'configuration',
        });
      }
      if (error.timedOut || error.signal !== null) {
        const how = error.timedOut ? `did not end in ${client.requestTimeout} s` : `was ended by ${error.signal}`;
        throw new FlightlineError('enrollment-service', `flightctl ${how}`);
      }
      const { kind, remedy } = classifyFlightctl(error.stderr);
      const said = flightctlMessage(error.stderr) || `it ended with exit code ${error.exitCode}`;
      throw new FlightlineError(kind, `flightctl gave no enrollment certificate: ${said}`, { remedy });
    }
  }

  private unusable(problems: readonly string[]): FlightlineError {
    return new FlightlineError('enrollment', `what flightctl answered cannot be used: ${problems.join('; ')}`, {
      remedy:
        "see that the host's flightctl and the Flight Control service belong together and that their clocks agree",
    });
  }
}

/** Calls that run or wait, by login. */
const calls = new Map<string, Promise<unknown>>();

/** One call at a time: the client renews its login by rewriting the file, and two at once would lose it. */
async function inTurn<Result>(configDirectory: string, call: () => Promise<Result>): Promise<Result> {
  const before = calls.get(configDirectory) ?? Promise.resolve();
  const own = before.then(call);
  calls.set(
    configDirectory,
    own.catch(() => undefined),
  );
  return own;
}
