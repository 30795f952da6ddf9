/**
 * `flightline provision`: late binding, by putting an agent configuration into a device as it is provisioned (the
 * guide).
 */
import type { Command } from '@commander-js/extra-typings';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { Argument, Option } from '@commander-js/extra-typings';
import { readAgentConfiguration } from '../../activities/tools/flightctl/agent-configuration.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { ReleaseRecord } from '../../model/release/record.ts';
import { parseReference } from '../../model/oci/reference.ts';
import { fewLines } from '../../model/spec/spec-file.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';
import {
  cloudConfig,
  ignitionConfig,
  kickstartPost,
  openShiftManifests,
  vsphereGuestInfo,
} from '../provision/configs.ts';

const syntax = (command: Command) =>
  command
    .addArgument(new Argument('<mechanism>', 'what injects it').choices(['cloud-init', 'ignition', 'kickstart']))
    .requiredOption(
      '--config <file>',
      'the agent configuration: enrollment goes here, the agent ignores it in drop-ins',
    )
    .addOption(
      new Option('--target <target>', 'with cloud-init: wrap the user-data for this platform').choices([
        'openshift-virtualization',
        'vsphere',
      ]),
    )
    .option('--name <name>', "the virtual machine's name, for a target")
    .option('--image <reference>', 'the container disk, for openshift-virtualization')
    .option('--record <file>', "a release's record (`flightline status RELEASE --json`): its container disk, by digest")
    .option('--output <file>', 'write it to this file (0600), and not to standard output');

type ProvisionOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'trust',
  summary: 'put an agent configuration into a device as it is provisioned',
  description:
    'Print what injects the agent configuration (of `flightctl certificate request --output=embedded`) ' +
    'as /etc/flightctl/config.yaml when a device is provisioned. It holds a private key, ' +
    'and so does what is printed.',
  examples: [
    'flightline provision cloud-init --config config.yaml --output user-data',
    'flightline provision cloud-init --config config.yaml --target openshift-virtualization ' +
      '--name edge-1 --image quay.io/acme/edge-camera/diskimage-qcow2:v1',
    'flightline provision cloud-init --config config.yaml --target vsphere --name edge-1',
    'flightline provision kickstart --config config.yaml',
  ],

  syntax,

  run: (args, options, output) => provision(args, options, output),
});

type Mechanism = 'cloud-init' | 'ignition' | 'kickstart';

/** A configuration is 3 kB. Larger is another file; Ignition and guestinfo would not take it. */
const MAX_CONFIG = 64 * 1024;
/** Days before the end of a certificate at which it is worth a warning. */
const SOON = 7;
const DAY = 24 * 60 * 60_000;

/** Prints the document of a mechanism, or writes it to a file. */
async function provision([mechanism]: [Mechanism], options: ProvisionOptions, output: Output): Promise<number> {
  refuseStray(mechanism, options);
  const config = await readConfig(options.config, output);
  const text = await documentOf(mechanism, config, options);
  if (options.output === undefined) {
    output.result(text.replace(/\n$/, ''));
    return EXIT.ok;
  }
  try {
    await writeFile(options.output, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? `${options.output} exists already` : `it cannot be written: ${message}`;
    throw new UserError('output', why, 'choose another file with --output', EXIT.failed);
  }
  output.note(`wrote ${options.output}; it holds the private key of the enrollment, and only you can read it`);
  return EXIT.ok;
}

async function documentOf(mechanism: Mechanism, config: string, options: ProvisionOptions): Promise<string> {
  switch (mechanism) {
    case 'ignition':
      return ignitionConfig(config);
    case 'kickstart':
      return kickstartPost(config);
    default:
      break;
  }
  switch (options.target) {
    case 'openshift-virtualization':
      return openShiftManifests(config, { name: nameOf(options), image: await imageOf(options) });
    case 'vsphere': {
      const values = Object.entries(vsphereGuestInfo(config, nameOf(options)));
      return values.map(([name, value]) => `${name}=${value}\n`).join('');
    }
    default:
      return cloudConfig(config);
  }
}

/** An option that would have no effect is a mistake. */
function refuseStray(mechanism: string, options: ProvisionOptions): void {
  const { target, name, image, record } = options;
  const stray =
    target !== undefined && mechanism !== 'cloud-init'
      ? '--target'
      : name !== undefined && target === undefined
        ? '--name'
        : image !== undefined && target !== 'openshift-virtualization'
          ? '--image'
          : record !== undefined && target !== 'openshift-virtualization'
            ? '--record'
            : undefined;
  if (stray === undefined) return;
  const place = stray === '--target' ? 'cloud-init' : stray === '--name' ? 'a --target' : 'openshift-virtualization';
  throw new UserError('usage', `${stray} is for ${place} only`, `leave ${stray} out`);
}

async function readConfig(file: string, output: Output): Promise<string> {
  const remedy = 'get one with `flightctl certificate request --signer=enrollment --output=embedded`';
  let text: string;
  try {
    const { size } = await stat(file);
    if (size > MAX_CONFIG) throw new Error(`it has ${size} bytes, and an agent configuration about 3,000`);
    text = await readFile(file, 'utf8');
  } catch (error) {
    const why = `the agent configuration ${file} cannot be used: ${(error as Error).message}`;
    throw new UserError('agent-config', why, remedy);
  }
  const now = new Date();
  const read = readAgentConfiguration(text, null, now);
  if (!read.ok) {
    const problems = fewLines(read.problems).join('; ');
    throw new UserError(
      'agent-config',
      `${file} is not an agent configuration with an enrollment: ${problems}`,
      remedy,
    );
  }
  const { ends } = read.configuration;
  if (Math.floor((ends.getTime() - now.getTime()) / DAY) < SOON) {
    output.note(`warning: the enrollment certificate ends on ${ends.toISOString()}: a device must enroll before`);
  }
  return text;
}

/** A name that Kubernetes and host names allow (RFC 1123, "label"); 63 characters with what is appended to it. */
function nameOf({ name }: ProvisionOptions): string {
  if (name !== undefined && /^[a-z0-9](?:[a-z0-9-]{0,50}[a-z0-9])?$/.test(name)) return name;
  const why =
    name === undefined ? 'a target needs the name of the virtual machine' : `"${name}" is not a name of a machine`;
  throw new UserError('usage', why, 'name it with --name: lower-case letters, digits and "-", at most 52');
}

async function imageOf({ image, record }: ProvisionOptions): Promise<string> {
  if (image !== undefined && record === undefined) {
    const parsed = parseReference(image);
    if (parsed.ok) return image;
    throw new UserError('usage', `--image: ${parsed.problem}`, 'name the container disk with its registry');
  }
  if (record === undefined || image !== undefined) {
    const why = 'openshift-virtualization needs the container disk, by one of --image and --record';
    throw new UserError(
      'usage',
      why,
      'give --image REPOSITORY:TAG, or --record with what `flightline status RELEASE --json` prints',
    );
  }
  try {
    const { disks } = ReleaseRecord.parse(JSON.parse(await readFile(record, 'utf8')));
    const found = disks.find(({ form, digest }) => form === 'container-disk' && digest !== null);
    const reference = found?.reference && parseReference(found.reference);
    if (!reference || !reference.ok) throw new FlightlineError('invalid-input', 'it names no published container disk');
    return `${reference.reference.repository}@${found.digest}`;
  } catch (error) {
    const why = error instanceof FlightlineError ? error.message : 'it is not a record as --json prints it';
    throw new UserError(
      'record',
      `the record ${record} cannot be used: ${why}`,
      'name the container disk with --image',
    );
  }
}
