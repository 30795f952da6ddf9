/** What a build is given besides its context and bases, such as secrets, and what it made of them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildInput } from '../../model/contract/build.ts';
import {
  AGENT_CONFIGURATION,
  AGENT_CONFIGURATION_PATH,
  isPrivate,
  OWN_SECRET_PREFIX,
} from '../../model/spec/enrollment.ts';
import { FlightlineError } from '../../model/release/failure.ts';
import { releaseKey, runKey } from '../../model/release/inputs.ts';
import { needsEntitlement } from '../../model/device/registration.ts';
import {
  agentConfiguration,
  enrolledUntil,
  forgetConfiguration,
  noteEnrolled,
  placeConfiguration,
} from './enrollment.ts';
import { secretFileLayer } from '../context/last-layers.ts';
import { privateLayerFlags, removePrivateLayers } from './private-layers.ts';
import { entitlementVolumes, requireRedHatLogin, requireRegistration } from './red-hat.ts';
import { holdsLogIns, openSecret } from '../trust/secrets.ts';
import type { Task } from '../tools/process/task.ts';
import { imageFile } from '../tools/podman/image-files.ts';
import type { BuildSecretFile } from '../tools/podman/build.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { answersAnonymously } from '../tools/registry/registry.ts';
import type { HostContext } from '../host/work-directory.ts';

/** Where bootc looks for log-ins on a device (guide, "Building the OS Image"). */
const PULL_SECRET_PATH = '/etc/ostree/auth.json';

/** What is known, before anything is built, of what a build needs of its host. */
export interface HostParts {
  secrets: BuildSecretFile[];
  /** `from:to:ro` */
  volumes: string[];
  /** Instructions for the end of the Containerfile. */
  layers: string[];
  warnings: string[];
}

/**
 * Looks whether this host has what the build asks of it.
 *
 * @throws FlightlineError `secret-missing`, `secret-not-allowed`, `registry-login`, `not-registered`
 */
export async function openHostParts(host: HostContext, input: BuildInput, access: RegistryAccess): Promise<HostParts> {
  const { configuration } = host;
  const secrets: BuildSecretFile[] = [];
  const layers: string[] = [];
  for (const { id, from } of input.secrets ?? []) {
    secrets.push({ id, file: (await openSecret(configuration, from, input.pushTo)).file });
  }
  if (input.pullSecret !== undefined) {
    const { file, text } = await openSecret(configuration, input.pullSecret, input.pushTo);
    if (!holdsLogIns(text)) {
      throw new FlightlineError('secret-missing', `the secret "${input.pullSecret}" is no file of registry log-ins`, {
        remedy: `write it with \`skopeo login --authfile ${file} REGISTRY\` on ${host.name}, then \`flightline retry RELEASE\``,
      });
    }
    const id = pullSecretId(input);
    secrets.push({ id, file });
    layers.push(secretFileLayer(id, PULL_SECRET_PATH));
  }
  const entitled = needsEntitlement(input.bases);
  if (entitled) {
    await requireRedHatLogin(
      access,
      input.bases.map(({ reference }) => reference),
      host.name,
    );
    await requireRegistration(host.name);
  }
  return {
    secrets,
    layers,
    volumes: entitled ? await entitlementVolumes() : [],
    warnings: await exposures(access, input),
  };
}

/** Another one for each run: podman's cache knows a secret by its id only, and would give out an older one's layer. */
function pullSecretId({ release, runId }: Pick<BuildInput, 'release' | 'runId'>): string {
  return `${OWN_SECRET_PREFIX}pull-secret-${runKey(release, runId)}`;
}

/** What anybody can take out of the image. */
async function exposures(access: RegistryAccess, input: BuildInput): Promise<string[]> {
  const what = [
    ...(input.enrollment?.binding === 'early' ? ['the enrollment key'] : []),
    ...(input.pullSecret === undefined ? [] : ['the pull secret']),
  ].join(' and ');
  if (what === '') return [];
  const open: string[] = [];
  for (const repository of new Set(input.pushTo)) {
    if (await answersAnonymously(access, repository)) open.push(repository);
  }
  return open.map((repository) => `anybody can pull ${what} in the image from ${repository}: make it private`);
}

/**
 * What the image that was built of the same inputs holds; null when it is not to be adopted, since its certificate has
 * ended.
 */
export async function enrolledImage(
  host: HostContext,
  input: BuildInput,
): Promise<Pick<EnrolledFacts, 'certificateEnds'> | null> {
  if (input.enrollment?.binding !== 'early') return {};
  const ends = await enrolledUntil(host, input, input.enrollment);
  return ends && { certificateEnds: ends.toISOString() };
}

/** The build is done: what was at hand for another attempt goes. */
export async function forgetSecrets(host: HostContext, input: BuildInput): Promise<void> {
  if (input.enrollment?.binding === 'early') await forgetConfiguration(host, input, input.enrollment);
}

/** What a build tells of its enrollment. */
export interface EnrolledFacts {
  /** ISO 8601; absent when there is no certificate. */
  certificateEnds?: string;
}

/**
 * Runs the build of an unpacked context, with the agent configuration in it, if there is one. Afterwards, whatever
 * became of the build, neither the context nor what podman keeps between steps holds a secret.
 *
 * @param place where the unpacked context is; its ignore file need not be there
 * @param build is given further flags of `podman build`
 */
export async function withPrivateParts<Result>(
  host: HostContext,
  input: BuildInput,
  context: Pick<Task, 'report'>,
  place: { directory: string; containerfile: string; ignoreFile: string; bases: readonly string[] },
  build: (flags: readonly string[]) => Promise<Result>,
): Promise<{ built: Result } & EnrolledFacts> {
  if (!isPrivate(input)) return { built: await build([]) };
  const { installation } = host.work;
  const { containerfile, bases } = place;
  const isEarly = input.enrollment?.binding === 'early';
  const mark = input.pullSecret === undefined ? null : pullSecretId(input);
  const flags = await privateLayerFlags(installation, input.release, { context: isEarly, mark, containerfile, bases });
  try {
    if (!isEarly) return { built: await build(flags) };
    return await withAgentConfiguration(host, input, context, place, (more) => build([...flags, ...more]));
  } finally {
    await removePrivateLayers(installation, (key) => key === releaseKey(input.release));
  }
}

async function withAgentConfiguration<Result>(
  host: HostContext,
  input: BuildInput,
  context: Pick<Task, 'report'>,
  { directory, ignoreFile: rules }: { directory: string; ignoreFile: string },
  build: (flags: readonly string[]) => Promise<Result>,
): Promise<{ built: Result } & EnrolledFacts> {
  const { enrollment } = input;
  if (enrollment?.binding !== 'early') throw new Error('only early binding builds a configuration in');
  context.report({ step: 'requesting an enrollment certificate' });
  const configuration = await agentConfiguration(host, input, enrollment);
  // The author's rules may ignore the configuration, which was not in the context when they were written.
  const ignoreFile = join(directory, 'ignore');
  await writeFile(ignoreFile, `${await readFile(rules, 'utf8').catch(() => '')}\n!${AGENT_CONFIGURATION}\n`);
  const remove = await placeConfiguration(directory, configuration);
  try {
    const built = await build([`--ignorefile=${ignoreFile}`]);
    await noteEnrolled(host, input, enrollment, configuration);
    return { built, certificateEnds: configuration.ends.toISOString() };
  } finally {
    await remove();
  }
}

/**
 * Looks whether the image is bound as the spec says.
 *
 * @throws FlightlineError `enrollment-binding`
 */
export async function checkBinding(image: string, input: Pick<BuildInput, 'enrollment'>): Promise<void> {
  const binding = input.enrollment?.binding;
  if (binding === undefined) return;
  const found = await imageFile(image, AGENT_CONFIGURATION_PATH);
  if (binding === 'late' && found !== null) {
    throw new FlightlineError(
      'enrollment-binding',
      `the image holds ${AGENT_CONFIGURATION_PATH}, and enrollment.binding is late: all its devices would enroll with that one`,
    );
  }
  if (binding === 'early' && found?.kind !== 'file') {
    throw new FlightlineError('enrollment-binding', `the image lacks ${AGENT_CONFIGURATION_PATH}`, {
      remedy: `add \`ADD ${AGENT_CONFIGURATION} /etc/flightctl/\` to the Containerfile, then \`flightline retry RELEASE --spec flightline.yaml\``,
    });
  }
}
