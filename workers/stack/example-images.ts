/**
 * Makes the example images from Debian packages and pushes them to the stack's registry, where releases look for
 * images.
 */
import { join } from 'node:path';
import { CommandError, runCommand, type CommandResult } from '../../activities/tools/process/command.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { parseManifest } from '../../model/oci/manifest.ts';
import { isLoopbackRegistry, registryOf } from '../../model/oci/reference.ts';
import { packageRoot } from '../../activities/tools/package-root.ts';
import type { Stack } from './stack.ts';

/** The name of an example image in podman's storage (examples/debian/make-images.sh) and in the registry. */
export const EXAMPLE_IMAGES = {
  base: { local: 'localhost/flightline/debian-base:trixie', path: 'flightline/debian-base:trixie' },
  builder: { local: 'localhost/flightline/debian-builder:1', path: 'flightline/debian-builder:1' },
} as const;

/** References of the example images in the stack's registry. */
type ExampleReferences = Record<keyof typeof EXAMPLE_IMAGES, string>;

/** Two root file systems from a slow mirror (ms). */
const MAKE_WITHIN = 20 * 60_000;
const PUSH_WITHIN = 10 * 60_000;
const LOOK_WITHIN = 60_000;

/** The example gate (examples/gate/setuid) on the example's base: its name in podman's storage and in the registry. */
const EXAMPLE_GATE = { local: 'localhost/flightline/gate-setuid:1', path: 'flightline/gates/setuid:1' };

type PublishingStack = Pick<Stack, 'registry' | 'authfile' | 'environment' | 'paths'>;

/**
 * Makes the images if they are missing or their sources have changed, and pushes those that the registry does not have
 * (compared by configuration digest). Takes about a second when there is nothing to do.
 *
 * @throws FlightlineError `host-setup` with the last lines of the program that failed.
 */
export async function publishExampleImages(
  stack: PublishingStack,
  report: (line: string) => void = () => undefined,
): Promise<ExampleReferences> {
  report('checking the example images (a Debian base and its builder)');
  const script = join(packageRoot(), 'examples', 'debian', 'make-images.sh');
  const made = await run(stack, 'making the example images', script, [], MAKE_WITHIN);
  report(made.stdout.trim().split('\n').at(-1) ?? '');
  const references = {} as ExampleReferences;
  for (const [name, image] of Object.entries(EXAMPLE_IMAGES)) {
    references[name as keyof ExampleReferences] = await pushMissing(stack, image, report);
  }
  return references;
}

/**
 * Makes the example gate of the example's base, and pushes it to where the embedded stack allows gates. Returns its
 * reference.
 *
 * @throws FlightlineError as of {@link publishExampleImages}, which comes first
 */
export async function publishExampleGate(stack: PublishingStack, report: (line: string) => void): Promise<string> {
  const directory = join(packageRoot(), 'examples', 'gate', 'setuid');
  const flags = ['--quiet', '--pull=never', `--build-arg=BASE=${EXAMPLE_IMAGES.base.local}`];
  const args = ['build', ...flags, `--tag=${EXAMPLE_GATE.local}`, directory];
  await run(stack, 'building the example gate', 'podman', args, MAKE_WITHIN);
  return pushMissing(stack, EXAMPLE_GATE, report);
}

/** Pushes a local image unless the registry has it; its reference there. */
async function pushMissing(
  stack: PublishingStack,
  { local, path }: { local: string; path: string },
  report: (line: string) => void,
): Promise<string> {
  const reference = `${stack.registry}/${path}`;
  const insecure = isLoopbackRegistry(registryOf(`${stack.registry}/`));
  const access = (side: 'dest-' | '') => [
    ...(insecure ? [`--${side}tls-verify=false`] : []),
    ...(stack.authfile ? ['--authfile', stack.authfile] : []),
  ];
  const inspect = ['image', 'inspect', '--format', '{{.Id}}', local];
  const inspected = await run(stack, `looking at ${local}`, 'podman', inspect, LOOK_WITHIN);
  const present = await runCommand('skopeo', ['inspect', '--raw', ...access(''), `docker://${reference}`], {
    timeout: LOOK_WITHIN,
    // The image is not there yet, or the registry does not answer: the push tells which.
  }).catch(() => undefined);
  const id = `sha256:${inspected.stdout.trim()}`;
  if (present && parseManifest(Buffer.from(present.stdout))?.config?.digest === id) return reference;
  report(`pushing ${reference}`);
  // The image is this machine's own, so no policy decides whether it may be read.
  const copy = ['--insecure-policy', 'copy', '--quiet', ...access('dest-')];
  const args = [...copy, `containers-storage:${local}`, `docker://${reference}`];
  await run(stack, `pushing ${reference}`, 'skopeo', args, PUSH_WITHIN);
  return reference;
}

/** Runs a program; what it says goes to a log of the stack. */
async function run(
  { paths, environment: { CONTAINERS_CONF } }: PublishingStack,
  what: string,
  program: string,
  args: readonly string[],
  timeout: number,
): Promise<CommandResult> {
  const logFile = join(paths.logs, 'example-images.log');
  const environment = CONTAINERS_CONF ? { CONTAINERS_CONF } : undefined;
  return runCommand(program, args, { logFile, timeout, environment }).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    throw new FlightlineError('host-setup', `${what} failed: ${error.message}`, {
      remedy: { action: `the whole log is ${logFile}`, then: null },
    });
  });
}
