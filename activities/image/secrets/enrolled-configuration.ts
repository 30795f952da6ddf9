/**
 * Early binding: the agent configuration that goes into an image, from Flight Control's client or from a secret. The
 * release's own directory (0700) keeps it for a repeated attempt until the build is done, and the end of the
 * certificate until the release ends.
 */
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { configurationInContext } from '../../context/summary.ts';
import { AGENT_CONFIGURATION } from '../../../model/spec/enrollment.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { canonicalJson } from '../../../model/base/digest.ts';
import { openSecret } from '../../trust/secrets.ts';
import { readAgentConfiguration, type AgentConfiguration } from '../../tools/flightctl/agent-configuration.ts';
import { readNote, writeNote } from '../../tools/note.ts';
import { registerSecret } from '../../tools/process/redact.ts';
import {
  requestCertificate,
  type EarlyEnrollment,
  type Enrolled,
  type EnrolledBuild,
  type EnrollingHost,
} from './request-certificate.ts';

/** The note of an enrollment in a release's directory. */
const Kept = z.object({
  /** The run of the release, and the request: another run's certificate is never used. */
  runId: z.string(),
  asked: z.string(),
  /** The agent configuration; null for an operator's own, and once the build is done. */
  text: z.string().nullable(),
  ends: z.iso.datetime(),
  /** The request in Flight Control; null for an operator's own. */
  request: z.string().nullable(),
  /** `true` when an image holds it. */
  built: z.boolean(),
});
type Kept = z.infer<typeof Kept>;

/**
 * The agent configuration of a release's image: the kept one, else a new one.
 *
 * @throws FlightlineError of the kinds `enrollment…`, `secret…`, and `host-setup` without a client.
 */
export async function agentConfiguration(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<Enrolled> {
  const kept = await readKept(host, build, enrollment);
  if (kept !== null && kept.text !== null) {
    const read = readAgentConfiguration(kept.text, null, new Date());
    if (read.ok) return hidden({ ...read.configuration, request: kept.request });
  }
  if ('config' in enrollment) return givenConfiguration(host, build, enrollment.config);
  const configuration = hidden(await requestCertificate(host, build, enrollment));
  await writeKept(host, build, enrollment, { ...configuration, built: false });
  return configuration;
}

/** Call when an image holds it. The image may still be refused, and be built again with the same one. */
export async function noteEnrolled(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
  { text, ends, request }: Pick<Enrolled, 'text' | 'ends' | 'request'>,
): Promise<void> {
  await writeKept(host, build, enrollment, {
    text: 'config' in enrollment ? null : text,
    ends,
    request,
    built: true,
  });
}

/** Call when the build is done: only the end of the certificate is kept from then on. */
export async function forgetConfiguration(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<void> {
  const kept = await readKept(host, build, enrollment);
  if (kept?.built && kept.text !== null) {
    await writeKept(host, build, enrollment, {
      ...kept,
      text: null,
      ends: new Date(kept.ends),
    });
  }
}

/**
 * The end and the request of the certificate in the image that this run built here. Null when it has ended, or without
 * such an image.
 */
export async function enrolledUntil(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
): Promise<Pick<Enrolled, 'ends' | 'request'> | null> {
  const kept = await readKept(host, build, enrollment);
  if (!kept?.built) return null;
  const ends = new Date(kept.ends);
  return ends > new Date() ? { ends, request: kept.request } : null;
}

/**
 * Puts the agent configuration into an unpacked context.
 *
 * @param directory the unpacked context
 * @returns a function that removes it
 * @throws FlightlineError `context-invalid` when the context has a file of that name.
 */
export async function placeConfiguration(
  directory: string,
  configuration: AgentConfiguration,
): Promise<() => Promise<void>> {
  const file = join(directory, AGENT_CONFIGURATION);
  // resolve checks too, but a link must still lead nowhere.
  if (await lstat(file).catch(() => null)) throw configurationInContext();
  await writeFile(file, configuration.text, { mode: 0o600, flag: 'wx' });
  return () => rm(file, { force: true });
}

async function givenConfiguration(host: EnrollingHost, build: EnrolledBuild, name: string): Promise<Enrolled> {
  const { text } = await openSecret(host.configuration, name, build.pushTo);
  const read = readAgentConfiguration(text, null, new Date());
  if (read.ok) return hidden({ ...read.configuration, request: null });
  throw new FlightlineError(
    'enrollment',
    `the secret "${name}" holds no usable agent configuration: ${read.problems.join('; ')}`,
    {
      remedy: `put another agent configuration into the secret "${name}" of ${host.name}`,
    },
  );
}

function hidden(configuration: Enrolled): Enrolled {
  for (const secret of configuration.secrets) registerSecret(secret);
  return configuration;
}

function keptFile(host: EnrollingHost, build: EnrolledBuild): string {
  return join(host.work.release(build.release), 'enrollment.json');
}

async function readKept(host: EnrollingHost, build: EnrolledBuild, enrollment: EarlyEnrollment): Promise<Kept | null> {
  // An unreadable note means a new request.
  const kept = await readNote(keptFile(host, build), Kept);
  return kept?.runId === build.runId && kept.asked === canonicalJson(enrollment) ? kept : null;
}

async function writeKept(
  host: EnrollingHost,
  build: EnrolledBuild,
  enrollment: EarlyEnrollment,
  { text, ends, request, built }: Pick<Kept, 'text' | 'request' | 'built'> & { ends: Date },
): Promise<void> {
  const file = keptFile(host, build);
  const { runId } = build;
  const kept: Kept = { runId, asked: canonicalJson(enrollment), text, ends: ends.toISOString(), request, built };
  await mkdir(host.work.release(build.release), { recursive: true, mode: 0o700 });
  await writeNote(file, Kept, kept);
}
