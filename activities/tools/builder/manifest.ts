/**
 * The builder's `manifest` command: it reads image and configuration as a build would, and makes nothing. Nothing is
 * pulled for it, and nothing of it stays.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builderText } from '../../../model/builder-config/builder-config.ts';
import { tagImage } from '../podman/images.ts';
import { podman, podmanInfo } from '../podman/podman.ts';
import { CommandError, runCommand } from '../process/command.ts';
import { redact } from '../process/redact.ts';
import { manifestArguments, withoutPasswords, type ManifestCommand } from './builder.ts';
import { builderMessage, classifyBuilder } from './classify.ts';
import type { BuilderVerdict } from './driver.ts';
import { builderDriver } from './drivers.ts';
import { removeBuilder } from './remove-builder.ts';

/** Longest time (ms). The real builder inspects the image in containers, which takes long. */
const WITHIN = 10 * 60_000;
/** How many of the builder's last lines an answer has. */
const MESSAGE_LINES = 15;

/** What the builder is asked. */
export interface ManifestQuestion extends Omit<ManifestCommand, 'graphRoot' | 'config'> {
  /** Id of the image, which has the name `image` while the builder looks at it: builders take no id. */
  id: string;
  config: { text: string; format: 'toml' | 'json' } | null;
}

/** `made`: number of steps, and the lines that warn. `refused`: why, in the builder's words. */
export type ManifestAnswer =
  { kind: 'made'; stages: number; warnings: string[] } | { kind: 'refused'; said: string; verdict: BuilderVerdict };

/**
 * Asks it.
 *
 * @param directory where the configuration lies meanwhile
 * @param end ends the builder
 * @throws FlightlineError only for what podman cannot do
 */
export async function askForManifest(
  question: ManifestQuestion,
  directory: string,
  end?: AbortSignal,
): Promise<ManifestAnswer> {
  const { id, config, name, image, types } = question;
  const driver = builderDriver(question.driver);
  const file = config && { path: join(directory, `checked.${config.format}`), format: config.format };
  const { graphRoot } = await podmanInfo();
  try {
    await tagImage(id, image);
    if (config && file) await writeFile(file.path, builderText(config.text, config.format), { mode: 0o600 });
    const args = manifestArguments({ ...question, graphRoot, config: file });
    // The manifest holds what the configuration holds, including password hashes. Only its stages are counted.
    const { stdout, stderr } = await runCommand('podman', args, { timeout: WITHIN, ...(end && { end }) });
    const stages = driver.progress.count(stdout, types);
    if (stages === undefined) {
      return { kind: 'refused', said: 'the builder did not print a manifest', verdict: { kind: 'builder' } };
    }
    return { kind: 'made', stages, warnings: clean(stderr).filter((line) => /warning|validation failed/i.test(line)) };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = clean(error.stderr);
    const verdict = classifyBuilder(said.join('\n'), error.exitCode ?? 1, driver.errors);
    return { kind: 'refused', said: builderMessage(said, MESSAGE_LINES) || error.message, verdict };
  } finally {
    await removeBuilder(name, question);
    await podman(`removing the name ${image}`, ['untag', id, image], { okExitCodes: [0, 125], cleanUp: true });
    if (file) await rm(file.path, { force: true });
  }
}

function clean(text: string): string[] {
  return text
    .split('\n')
    .map((line) => withoutPasswords(redact(line)).trimEnd())
    .filter((line) => line !== '');
}
