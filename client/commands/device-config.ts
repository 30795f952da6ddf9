/** `flightline device-config`: the files by which a device only takes images that the release's key signed. */
import type { Command } from '@commander-js/extra-typings';
import { readFile, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeDeviceTree } from '../../activities/trust/device-tree.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import {
  deviceFiles,
  deviceKeyPath,
  mergePolicy,
  policyFor,
  readPolicy,
  pulledRepositoriesOfSpec,
  type DeviceFile,
  type MergedPolicy,
  type PolicyKey,
} from '../../model/device/signature-policy.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { Repository } from '../../model/oci/reference.ts';
import { parseYamlFile } from '../../model/spec/spec-file.ts';
import { DEFAULT_WORKER_CONFIGURATION, WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';
import { readSpec } from '../project/spec-loading.ts';

const syntax = (command: Command) =>
  command
    .argument('[spec]', 'the spec', 'flightline.yaml')
    .requiredOption('--output <dir>', "the directory that stands for the device's root: DIR/etc/…")
    .option('--merge <file>', 'add to this policy.json; nothing that it refuses is accepted afterwards')
    .option('--public-key <file>', 'the public key; without it the worker configuration tells where it is')
    .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml')
    .option('--also-key <file>', 'another public key, either of which will do: while keys are rotated')
    .option('--repository <repository>', 'for this repository and what is below it, without a spec')
    .option('--imported-from <repository>', 'with --repository: the one that signatures name, since it was imported');

type DeviceConfigOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'trust',
  summary: 'write what a device needs to verify signatures',
  description:
    'Write the public key, registries.d drop-in and policy.json by which a device only takes ' +
    "images that the spec's key signed.",
  examples: [
    'flightline device-config --output device --public-key release.pub',
    'flightline device-config flightline.yaml --output / --merge /etc/containers/policy.json',
    'flightline device-config --imported-from quay.io/acme/edge --repository registry.plant.example/edge ' +
      '--public-key release.pub --output device',
  ],
  json: { help: 'print JSON', schemas: ['device-config'] },

  syntax,

  run: (args, options, output) => deviceConfig(args, options, output),
});

/** What devices are to take, and by which key. */
interface Wanted {
  /** The key's name. */
  key: string;
  repositories: string[];
}

/** Writes the files below `options.output`. */
async function deviceConfig([file]: [string], options: DeviceConfigOptions, output: Output): Promise<number> {
  const { key, repositories } = await wantedOf(file, options);
  const publicKey = await publicKeyOf(key, options);
  const also = options.alsoKey === undefined ? undefined : await pemIn(options.alsoKey);
  const alsoPath = also && deviceKeyPath(`${key}-also`);
  const imported =
    options.importedFrom === undefined ? undefined : { from: options.importedFrom, to: repositories[0]! };
  const merged = await policyOf(repositories, { path: deviceKeyPath(key), alsoPath, imported }, options.merge);
  if (merged.rejected.length > 0) {
    throw new UserError(
      'policy-rejects',
      `${options.merge} rejects what a device is to take, and is not weakened: ${merged.notes.join('; ')}`,
      'remove that entry by hand if these images are to be taken, and run the command again',
      EXIT.failed,
    );
  }
  const files = deviceFiles({ key, publicKey, repositories }, merged.policy);
  if (also !== undefined) files.push({ path: alsoPath!, text: also });
  await refuseExisting(files, options);
  const written = await writeDeviceTree(resolve(options.output), files);
  const keys = also === undefined ? `the key "${key}"` : `the key "${key}" or ${options.alsoKey}`;
  const by = imported ? `, imported from ${imported.from}` : '';
  output.result(
    [
      ...written.map((path) => `wrote ${path}`),
      ...merged.notes.map((note) => `note: ${note}`),
      `devices with these files only take what ${keys} signed in ${repositories.join(', ')}${by}`,
    ].join('\n'),
  );
  output.document({ key, repositories, files: written, notes: merged.notes });
  return EXIT.ok;
}

/** By the spec, or by --repository alone. @throws UserError `usage` */
async function wantedOf(file: string, options: DeviceConfigOptions): Promise<Wanted> {
  if (options.repository === undefined) {
    if (options.importedFrom !== undefined) {
      throw new UserError('usage', '--imported-from needs --repository', 'name the repository that it was imported to');
    }
    const { spec } = await readSpec(file);
    return { key: spec.signing.key, repositories: pulledRepositoriesOfSpec(spec) };
  }
  for (const name of [options.repository, options.importedFrom]) {
    const problem = name === undefined ? undefined : Repository.safeParse(name).error?.issues[0]?.message;
    if (problem) throw new UserError('usage', `"${name}" ${problem}`, 'name the repository without a tag');
  }
  return { key: 'release', repositories: [options.repository] };
}

/** The public key as PEM. */
async function publicKeyOf(name: string, options: DeviceConfigOptions): Promise<string> {
  return pemIn(options.publicKey ?? (await configuredKey(name, options.config)));
}

async function pemIn(named: string): Promise<string> {
  const file = resolve(named);
  try {
    const key = await readPublicKey(file);
    return key.export({ type: 'spki', format: 'pem' }).toString();
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    throw new UserError(
      'key-missing',
      error.message,
      'name the public key (the .pub file of `flightline keygen`) with --public-key',
    );
  }
}

/** The path of a named key in the worker configuration. */
async function configuredKey(name: string, config: string | undefined): Promise<string> {
  const file = config ?? DEFAULT_WORKER_CONFIGURATION;
  const remedy = 'name the public key with --public-key, or the worker configuration that has it with --config';
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const why = `${file} cannot be read: ${(error as Error).message}`;
    throw new UserError('key-missing', `the public key of "${name}" is not known: ${why}`, remedy);
  }
  const parsed = parseYamlFile(text, WorkerConfiguration);
  if (!parsed.ok) throw new UserError('key-missing', `${file} is not a worker configuration`, remedy);
  const key = Object.hasOwn(parsed.value.keys, name) ? parsed.value.keys[name] : undefined;
  if (!key) throw new UserError('key-missing', `${file} has no key "${name}"`, remedy);
  return key.publicKey;
}

async function policyOf(
  repositories: readonly string[],
  key: PolicyKey,
  merge: string | undefined,
): Promise<MergedPolicy> {
  if (merge === undefined) {
    const notes = [
      'images of other repositories are accepted unsigned, as in the guide; --merge adds to a stricter policy',
    ];
    return { policy: policyFor(repositories, key, 'insecureAcceptAnything'), notes, rejected: [] };
  }
  let text: string;
  try {
    text = await readFile(merge, 'utf8');
  } catch (error) {
    throw new UserError(
      'merge',
      `the policy cannot be read: ${(error as Error).message}`,
      'name a policy.json with --merge',
    );
  }
  try {
    return mergePolicy(readPolicy(text, merge), repositories, key);
  } catch (error) {
    if (!(error instanceof FlightlineError)) throw error;
    throw new UserError('merge', error.message, 'correct it: podman and skopeo would not read it either');
  }
}

/** Refuses to overwrite files, except the merged policy and files that have the right content already. */
async function refuseExisting(files: readonly DeviceFile[], options: DeviceConfigOptions): Promise<void> {
  for (const { path, text } of files) {
    const target = join(resolve(options.output), path);
    const there = await readFile(target, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (there === undefined || there === text) continue;
    if (options.merge !== undefined && (await realpath(target)) === (await realpath(options.merge))) continue;
    throw new UserError(
      'exists',
      `${target} exists already, with other content`,
      path.endsWith('policy.json')
        ? 'add to it with --merge, or choose another --output'
        : 'move it away, or choose another --output',
    );
  }
}
