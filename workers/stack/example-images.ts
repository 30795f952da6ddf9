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

/**
 * Makes the images if they are missing or their sources have changed, and pushes those that the registry does not have
 * (compared by configuration digest). Takes about a second when there is nothing to do.
 *
 * @throws FlightlineError `host-setup` with the last lines of the program that failed.
 */
export async function publishExampleImages(
  stack: Pick<Stack, 'registry' | 'authfile' | 'environment' | 'paths'>,
  report: (line: string) => void = () => undefined,
): Promise<ExampleReferences> {
  const logFile = join(stack.paths.logs, 'example-images.log');
  const { CONTAINERS_CONF } = stack.environment;
  const environment = CONTAINERS_CONF ? { CONTAINERS_CONF } : undefined;
  const run = (what: string, program: string, args: readonly string[], timeout: number): Promise<CommandResult> =>
    runCommand(program, args, { logFile, timeout, environment }).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      throw new FlightlineError('host-setup', `${what} failed: ${error.message}`, {
        remedy: { action: `the whole log is ${logFile}`, then: null },
      });
    });

  report('checking the example images (a Debian base and its builder)');
  const script = join(packageRoot(), 'examples', 'debian', 'make-images.sh');
  const made = await run('making the example images', script, [], MAKE_WITHIN);
  report(made.stdout.trim().split('\n').at(-1) ?? '');
  const insecure = isLoopbackRegistry(registryOf(`${stack.registry}/`));
  const access = (side: 'dest-' | '') => [
    ...(insecure ? [`--${side}tls-verify=false`] : []),
    ...(stack.authfile ? ['--authfile', stack.authfile] : []),
  ];
  const references = {} as ExampleReferences;
  for (const [name, { local, path }] of Object.entries(EXAMPLE_IMAGES)) {
    const reference = `${stack.registry}/${path}`;
    references[name as keyof ExampleReferences] = reference;
    const inspected = await run(
      `looking at ${local}`,
      'podman',
      ['image', 'inspect', '--format', '{{.Id}}', local],
      LOOK_WITHIN,
    );
    const present = await runCommand('skopeo', ['inspect', '--raw', ...access(''), `docker://${reference}`], {
      timeout: LOOK_WITHIN,
      // The image is not there yet, or the registry does not answer: the push tells which.
    }).catch(() => undefined);
    if (present && parseManifest(Buffer.from(present.stdout))?.config?.digest === `sha256:${inspected.stdout.trim()}`)
      continue;
    report(`pushing ${reference}`);
    await run(
      `pushing ${reference}`,
      'skopeo',
      // The image is this machine's own, so no policy decides whether it may be read.
      [
        '--insecure-policy',
        'copy',
        '--quiet',
        ...access('dest-'),
        `containers-storage:${local}`,
        `docker://${reference}`,
      ],
      PUSH_WITHIN,
    );
  }
  return references;
}
