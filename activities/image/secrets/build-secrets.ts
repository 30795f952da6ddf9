/** Secrets and entitlements of a build, and what it made of them. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildInput } from '../../../model/contract/build.ts';
import {
  AGENT_CONFIGURATION,
  AGENT_CONFIGURATION_PATH,
  isPrivate,
  OWN_SECRET_PREFIX,
} from '../../../model/spec/enrollment.ts';
import { CONTEXT_LAYOUT } from '../../../model/oci/labels.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { releaseKey, runKey } from '../../../model/release/inputs.ts';
import type { PinnedImage } from '../../../model/release/record.ts';
import { needsEntitlement } from '../../../model/oci/red-hat.ts';
import {
  agentConfiguration,
  enrolledUntil,
  forgetConfiguration,
  noteEnrolled,
  placeConfiguration,
} from './enrolled-configuration.ts';
import type { Enrolled } from './request-certificate.ts';
import type { UnpackedContext } from '../../context/unpack.ts';
import { secretFileLayer } from '../../context/own-layers.ts';
import { ifMissing } from '../../host/space.ts';
import { notePrivateLayers, privateLayerFlags, removePrivateLayers } from './private-layers.ts';
import { entitlementVolumes, requireRegistration } from '../red-hat.ts';
import { openSecret } from '../../trust/secrets.ts';
import { holdsLogIns } from '../../trust/secret-values.ts';
import type { Task } from '../../tools/process/task.ts';
import { imageFile } from '../../tools/podman/image-files.ts';
import type { BuildSecretFile } from '../../tools/podman/build.ts';
import type { RegistryAccess } from '../../tools/registry/access.ts';
import type { HostContext } from '../../host/work-directory.ts';

/** Where bootc looks for logins on a device (guide, "Building the OS Image"). */
const PULL_SECRET_PATH = '/etc/ostree/auth.json';

/** What a build needs of its host, as known before it begins. */
export interface HostParts {
  secrets: BuildSecretFile[];
  /** A file of the image in a layer of its own: the secret, and the instruction. */
  pullSecret: { secret: BuildSecretFile; layer: string } | null;
  warnings: string[];
}

/**
 * Checks that this host has what the build needs.
 *
 * @throws FlightlineError `secret-missing`, `secret-not-allowed`
 */
export async function openHostParts(host: HostContext, input: BuildInput, access: RegistryAccess): Promise<HostParts> {
  const { configuration } = host;
  const secrets: BuildSecretFile[] = [];
  for (const { id, from } of input.secrets ?? []) {
    secrets.push({ id, file: (await openSecret(configuration, from, input.pushTo)).file });
  }
  return {
    secrets,
    pullSecret: input.pullSecret === undefined ? null : await openPullSecret(host, input, input.pullSecret),
    warnings: await exposures(access, input),
  };
}

async function openPullSecret(host: HostContext, input: BuildInput, name: string): Promise<HostParts['pullSecret']> {
  const { file, text } = await openSecret(host.configuration, name, input.pushTo);
  if (!holdsLogIns(text)) {
    throw new FlightlineError('secret-missing', `the secret "${name}" is not a file of registry logins`, {
      remedy: `write it with \`skopeo login --authfile ${file} REGISTRY\` on ${host.name}`,
    });
  }
  const id = pullSecretId(input);
  return { secret: { id, file }, layer: secretFileLayer(id, PULL_SECRET_PATH) };
}

/**
 * Volumes, `from:to:ro`, with the entitlements for the steps of a build.
 *
 * @throws FlightlineError `not-registered`
 */
export async function volumesFor(host: HostContext, bases: readonly PinnedImage[]): Promise<string[]> {
  if (!needsEntitlement(bases)) return [];
  await requireRegistration(host.name);
  return entitlementVolumes();
}

/** Files of the image that hold a secret at the spec's request, which need no advice. */
export function secretFiles(input: Pick<BuildInput, 'pullSecret'>): string[] {
  return input.pullSecret === undefined ? [] : [PULL_SECRET_PATH];
}

/** A new id for each run: podman's cache knows a secret by its id only, and would give out an older secret's layer. */
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
    if (await access.repository(repository).answersAnonymously()) open.push(repository);
  }
  return open.map((repository) => `anybody can pull ${what} in the image from ${repository}: make it private`);
}

/**
 * The enrollment in an image of the same inputs; null when its certificate has ended, so that it is not adopted.
 */
export async function enrolledImage(host: HostContext, input: BuildInput): Promise<EnrolledFacts | null> {
  if (input.enrollment?.binding !== 'early') return {};
  const enrolled = await enrolledUntil(host, input, input.enrollment);
  return enrolled && factsOf(enrolled);
}

/** Call when the build is done: removes what was kept for another attempt. */
export async function forgetSecrets(host: HostContext, input: BuildInput): Promise<void> {
  if (input.enrollment?.binding === 'early') await forgetConfiguration(host, input, input.enrollment);
}

/** What a build reports about its enrollment. */
export interface EnrolledFacts {
  /** ISO 8601; absent when there is no certificate. */
  certificateEnds?: string;
  /** Name of its request in Flight Control; absent for an operator's own. */
  certificateRequest?: string;
}

function factsOf({ ends, request }: Pick<Enrolled, 'ends' | 'request'>): EnrolledFacts {
  return { certificateEnds: ends.toISOString(), ...(request !== null && { certificateRequest: request }) };
}

/** The flags of `podman build` that mark the images between its steps, for a build on such bases (ids). */
export type PrivateFlags = (bases: readonly string[]) => Promise<string[]>;

/**
 * Runs the build of an unpacked context, with the agent configuration in it, if there is one. Afterwards, even when the
 * build failed, neither the context nor the images between its steps hold a secret.
 *
 * @param build gets further flags of `podman build`
 */
export async function withPrivateParts<Result>(
  host: HostContext,
  input: BuildInput,
  context: Pick<Task, 'report'>,
  unpacked: UnpackedContext,
  build: (flags: PrivateFlags) => Promise<Result>,
): Promise<{ built: Result } & EnrolledFacts> {
  const usesSecrets = (input.secrets ?? []).length > 0;
  if (!isPrivate(input) && !usesSecrets) return { built: await build(() => Promise.resolve([])) };
  await notePrivateLayers(host.work.release(input.release));
  const { installation } = host.work;
  const isEarly = input.enrollment?.binding === 'early';
  const mark = input.pullSecret === undefined ? null : pullSecretId(input);
  const flags: PrivateFlags = async (bases) => [
    ...(await privateLayerFlags(installation, input, { context: isEarly, secrets: usesSecrets, mark, bases })),
    // The cache knows a secret by its id only, and would give out layers made with another project's secret.
    ...(usesSecrets ? ['--no-cache'] : []),
  ];
  try {
    if (!isEarly) return { built: await build(flags) };
    return await withAgentConfiguration(host, input, context, unpacked, (more) =>
      build(async (bases) => [...(await flags(bases)), ...more]),
    );
  } finally {
    const own = releaseKey(input.release);
    await removePrivateLayers(installation, (key, platform) => key === own && platform === input.platform);
  }
}

async function withAgentConfiguration<Result>(
  host: HostContext,
  input: BuildInput,
  stage: Pick<Task, 'report'>,
  { context, containerfile }: UnpackedContext,
  build: (flags: readonly string[]) => Promise<Result>,
): Promise<{ built: Result } & EnrolledFacts> {
  const { enrollment } = input;
  if (enrollment?.binding !== 'early') throw new Error('only early binding builds a configuration in');
  stage.report({ step: 'requesting an enrollment certificate' });
  const configuration = await agentConfiguration(host, input, enrollment);
  // The author's rules may ignore it: `*`, then what is wanted.
  const ignoreFile = join(dirname(context), 'ignore-rules');
  const rules = await readFile(`${containerfile}${CONTEXT_LAYOUT.ignoreSuffix}`, 'utf8').catch(ifMissing(''));
  await writeFile(ignoreFile, `${rules}\n!${AGENT_CONFIGURATION}\n`);
  const remove = await placeConfiguration(context, configuration);
  try {
    const built = await build([`--ignorefile=${ignoreFile}`]);
    await noteEnrolled(host, input, enrollment, configuration);
    return { built, ...factsOf(configuration) };
  } finally {
    await remove();
  }
}

/**
 * Checks that the image is bound as the spec says.
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
      `the image holds ${AGENT_CONFIGURATION_PATH}, and enrollment.binding is late: all its devices would ` +
        'enroll with that one',
    );
  }
  if (binding === 'early' && found?.kind !== 'file') {
    throw new FlightlineError('enrollment-binding', `the image lacks ${AGENT_CONFIGURATION_PATH}`, {
      remedy: `add \`ADD ${AGENT_CONFIGURATION} /etc/flightctl/\` to the Containerfile`,
    });
  }
}
