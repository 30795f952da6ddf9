/**
 * The builder's own check before a release: its `manifest` command reads image and configuration as a build would,
 * and makes nothing. It runs where image and builder are at hand already; nothing is pulled, and nothing stays.
 */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builderText } from '../../model/builder-config/builder-config.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { INPUTS_LABEL } from '../../model/oci/labels.ts';
import { builderMessage } from '../../activities/tools/builder/classify.ts';
import { builderDriver } from '../../activities/tools/builder/drivers.ts';
import { removeBuilder } from '../../activities/tools/builder/remove-builder.ts';
import { manifestArguments, withoutPasswords, type ManifestCommand } from '../../activities/tools/builder/builder.ts';
import { CommandError, runCommand } from '../../activities/tools/process/command.ts';
import { imageExists, tagImage, listImages } from '../../activities/tools/podman/images.ts';
import { podman, podmanInfo } from '../../activities/tools/podman/podman.ts';
import { temporaryDirectory } from '../../activities/tools/temporary-directory.ts';
import { redact } from '../../activities/tools/process/redact.ts';

/** Longest time (ms). The real builder inspects the image in containers, which takes long. */
const WITHIN = 10 * 60_000;
/** How many of the builder's last lines an answer has. */
const MESSAGE_LINES = 15;

/** The result. `warnings` are lines that the builder printed. */
type BuilderCheck =
  | { kind: 'not-run'; reason: string }
  | { kind: 'passed'; stages: number; warnings: string[] }
  | { kind: 'failed'; said: string };

/** What is checked. */
interface BuilderCheckInput extends Pick<
  ManifestCommand,
  'types' | 'rootfs' | 'config' | 'options' | 'driver' | 'installer'
> {
  /** Digest of the image inputs, by which the image is found. */
  imageInputs: string;
  /** The builder by digest, `repository@sha256:…`. */
  builder: string;
}

/**
 * Runs the builder's `manifest` command on this machine, if possible. Never throws when the builder reports a problem.
 */
export async function checkWithBuilder(input: BuilderCheckInput): Promise<BuilderCheck> {
  const notRun = (reason: string): BuilderCheck => ({ kind: 'not-run', reason });
  if (process.getuid?.() !== 0) return notRun('the builder runs as root only');
  try {
    const [image] = await listImages({ label: `${INPUTS_LABEL}=${input.imageInputs}` });
    if (!image) return notRun('this machine has no image of these inputs: it is not built yet, or is on another host');
    for (const needed of [input.builder, ...(input.installer === null ? [] : [input.installer])]) {
      if (!(await imageExists(needed))) return notRun(`this machine does not have ${needed}: podman pull ${needed}`);
    }
    return await runManifest(input, image.id);
  } catch (error) {
    if (error instanceof FlightlineError) return notRun(error.failure.message);
    throw error;
  }
}

async function runManifest(input: BuilderCheckInput, id: string): Promise<BuilderCheck> {
  const { builder, driver, types, rootfs, config, options, installer } = input;
  const random = randomBytes(6).toString('hex');
  const name = `flightline-dry-run-${random}`;
  // The builder needs a name, and the image may have none.
  const image = `localhost/flightline/dry-run:${random}`;
  const { graphRoot } = await podmanInfo();
  const scratch = temporaryDirectory('flightline-dry-run-');
  await tagImage(id, image);
  try {
    const given = config && { ...config, path: join(scratch.path, `config.${config.format}`) };
    if (config && given) await writeFile(given.path, builderText(await readFile(config.path, 'utf8'), config.format));
    const asked = { image, installer, types, rootfs, config: given, options };
    const args = manifestArguments({ name, builder, driver, graphRoot, ...asked });
    // The manifest holds what the configuration holds, including password hashes. Only its stages are counted.
    const { stdout, stderr } = await runCommand('podman', args, { timeout: WITHIN });
    const stages = builderDriver(driver).progress.count(stdout, types);
    if (stages === undefined) return { kind: 'failed', said: 'the builder did not print a manifest' };
    return {
      kind: 'passed',
      stages,
      warnings: clean(stderr).filter((line) => /warning|validation failed/i.test(line)),
    };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { kind: 'failed', said: builderMessage(clean(error.stderr), MESSAGE_LINES) || error.message };
  } finally {
    await scratch.remove();
    await removeBuilder(name, installer === null ? [image] : [image, installer]);
    await podman(`removing the name ${image}`, ['untag', id, image], { okExitCodes: [0, 125], cleanUp: true });
  }
}

function clean(text: string): string[] {
  return text
    .split('\n')
    .map((line) => withoutPasswords(redact(line)).trimEnd())
    .filter((line) => line !== '');
}
