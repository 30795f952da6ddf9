/** Runs a rechunker, and looks at what it has made. */
import { z } from 'zod';
import type { RechunkTool } from '../../../model/spec/build-options.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { classifyPodman } from '../podman/classify.ts';
import { removeContainer } from '../podman/container/container.ts';
import { parseOutput, podman } from '../podman/podman.ts';
import { CommandError, lastLines, runCommand, type CommandOptions } from '../process/command.ts';
import { rechunkArguments, type Rechunked } from './rechunk-arguments.ts';

/** Lines of its output in a failure. */
const MESSAGE_LINES = 20;
/** podman's exit code for what is its own fault, not the program's (podman-run(1)). */
const OWN_FAULT = 125;

/** @throws FlightlineError `rechunk` when the program failed, or of the kind that podman's words tell */
export async function runRechunker(
  tool: RechunkTool,
  run: Rechunked,
  options: Pick<CommandOptions, 'logFile' | 'onLine'>,
): Promise<void> {
  // That of an earlier attempt, whose worker is gone, may still run.
  await removeContainer(run.name);
  try {
    await runCommand('podman', rechunkArguments(tool, run), { ...options, keepOutput: false });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.stderr || error.stdout, MESSAGE_LINES);
    const { kind, remedy } = error.exitCode === OWN_FAULT ? classifyPodman(said) : { kind: 'rechunk' as const };
    throw new FlightlineError(kind, `${tool} failed:\n${said || error.message}`, { remedy, cause: error });
  } finally {
    await removeContainer(run.name);
  }
}

/** Gives an image of a layout a name in podman's storage. It is this host's own, so no policy is asked. */
export async function importLayout(directory: string, name: string, logFile: string): Promise<void> {
  const places = [`oci:${directory}`, `containers-storage:${name}`];
  try {
    await runCommand('skopeo', ['--insecure-policy', 'copy', '--quiet', ...places], { logFile });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.stderr, MESSAGE_LINES);
    const { kind, remedy } = classifyPodman(said);
    throw new FlightlineError(kind === 'unexpected' ? 'rechunk' : kind, `its image cannot be read: ${said}`, {
      remedy,
      cause: error,
    });
  }
}

/** What `podman image inspect` prints of an image. */
export async function inspected(id: string): Promise<string> {
  return (await podman(`inspecting ${id}`, ['image', 'inspect', id])).stdout;
}

const Texts = z.record(z.string(), z.string()).nullish();
const Kept = z.object({
  Architecture: z.string(),
  Config: z.looseObject({ Labels: Texts }).nullish(),
  Annotations: Texts,
});
const KEYS = ['Env', 'Cmd', 'Entrypoint', 'User', 'WorkingDir', 'ExposedPorts', 'Volumes', 'StopSignal'] as const;

/**
 * What of an image's configuration another one does not keep, in words. It may have more labels. Pure.
 *
 * @param before what {@link inspected} says of each
 */
export function changedConfiguration(before: string, after: string): string[] {
  const [was, is] = [before, after].map((text) => parseOutput('podman image inspect', z.tuple([Kept]), text)[0]);
  const text = (value: unknown) => JSON.stringify(value ?? null);
  const lost = Object.entries(was!.Config?.Labels ?? {}).filter(
    ([name, value]) => is!.Config?.Labels?.[name] !== value,
  );
  return [
    ...(was!.Architecture === is!.Architecture ? [] : ['Architecture']),
    ...KEYS.filter((key) => text(was!.Config?.[key]) !== text(is!.Config?.[key])),
    ...lost.map(([name]) => `label ${name}`),
  ];
}
