/** The command line: verbs, options, help. Loads nothing that `--help` does not need. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { addMachineVerbs } from './machine-verbs.ts';
import { handlers as realHandlers, type Handlers } from './handlers.ts';
import { BASES, BINDINGS, TARGETS } from './init/choices.ts';
import { processOutput } from './terminal/output.ts';
import { addTagVerbs } from './tag-verbs.ts';
import { addScheduleCommand } from './schedule-program.ts';
import { example, withoutJson, type Act, type AddVerb, type JsonFlag } from './verb.ts';
import { version } from './version.ts';

/** Told the exit code that a verb answered. */
export type OnExit = (code: number) => void;

/** Makes the parser. `run` and its relatives do their work in `handlers`. */
export function createProgram(onExit: OnExit, handlers: Handlers = realHandlers): Command {
  const program = new Command('flightline')
    .description(
      'From a Containerfile to signed, verified, published OS and disk images, as durable Temporal workflows.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText(
      'after',
      example('flightline up', 'flightline run examples/debian/flightline.yaml', 'flightline list') +
        '\nTemporal is found by the TEMPORAL_* variables and profiles (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_PROFILE).' +
        '\nExit codes: 0 done · 1 failed · 2 usage or spec · 3 no Temporal or control worker · 4 held · 5 cancelled · 6 already running · 130 detached',
    );

  const verb: AddVerb = (name, summary, description, ...examples) =>
    program
      .command(name)
      .summary(summary)
      .description(description)
      .addHelpText('after', example(...examples));
  /** Runs a handler with the output that `--json` asks for. */
  const act: Act = async (options, work) => {
    onExit(await work(processOutput(options)));
  };

  verb(
    'init',
    'start a project',
    'Write Containerfile, flightline.yaml and .containerignore after the guide; asks on a terminal for what no flag says. ' +
      'Writes over no file.',
    'flightline init edge-camera',
    'flightline init --target bare-metal --base centos-stream9 --binding late --repository quay.io/acme/edge-camera',
  )
    .argument('[dir]', 'the directory, made if it is not there', '.')
    .addOption(new Option('--target <target>', 'where devices run; says which disks are made').choices(TARGETS))
    .addOption(new Option('--base <base>', 'what the image is built on').choices(BASES))
    .addOption(
      new Option('--binding <binding>', 'early: the image holds the enrollment; late: provisioning brings it').choices(
        BINDINGS,
      ),
    )
    .option('--podman-compose', 'support applications of podman-compose')
    .option('--no-podman-compose', 'leave that as a comment; do not ask')
    .option('--repository <repository>', 'where the OS image is published: quay.io/acme/edge-camera')
    .option('--base-image <image>', 'another image than the one of --base')
    .option('--builder-image <image>', 'another image than bootc-image-builder')
    .option('--json', 'print what was written as JSON')
    .action((directory: string, options: InitOptions) =>
      act(options, (output) => handlers.init(directory, withoutJson(options), output)),
    );

  verb(
    'lint',
    'advice before the build',
    'Look for what the guide advises otherwise, in the Containerfile and the spec. `flightline run` does it too.',
    'flightline lint',
    'flightline lint flightline.yaml --strict',
  )
    .argument('[spec]', 'the spec', 'flightline.yaml')
    .option('--strict', 'exit with 1 when something is found')
    .option('--json', 'print the findings as JSON')
    .action((spec: string, options: JsonFlag & { strict?: boolean }) =>
      act(options, (output) => handlers.lint(spec, withoutJson(options), output)),
    );

  verb(
    'run',
    'check a spec, start its release, show it to its end',
    'Check a spec, send its context, start the release and show it to its end.',
    'flightline run',
    'flightline run flightline.yaml --tag v2 --detach',
    'flightline run --dry-run',
  )
    .argument('[spec]', 'the spec', 'flightline.yaml')
    .option('--tag <tag>', "replace the spec's tag; {{date}} and {{commit}} are filled in")
    .option('--dry-run', 'check, look everything up and print the plan; nothing is sent, built or left')
    .option('--detach', 'end once the release has been taken up')
    .option(
      '--replace',
      'cancel a run of the same release that is under way, and wait for its clean-up, before starting',
    )
    .addOption(
      new Option(
        '--on-failure <what>',
        'what a failure that a person can mend does; default is what the spec says',
      ).choices(['hold', 'fail']),
    )
    .option('--strict', 'do not start when `flightline lint` finds something')
    .option('--keep-files <dir>', 'leave the disk files in this directory of the build host')
    .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository')
    .option('--json', 'print the record, or the plan of a dry run, as JSON; progress goes to standard error')
    .action((spec: string, options: RunFlags) =>
      act(options, (output) => handlers.run(spec, withoutJson(options), output)),
    );

  verb(
    'list',
    'list the releases',
    'List the releases that Temporal knows, newest first.',
    'flightline list --limit 5',
    'flightline list --status held --repository quay.io/acme --since 2d',
  )
    .option(
      '--status <status>',
      'only these: running, held, released, unchanged, failed, cancelled; several with commas',
    )
    .option('--repository <repository>', 'only those of this repository, and of what is below it')
    .option('--since <when>', 'only those started since then: 90m, 12h, 2d, or a date such as 2026-11-23')
    .option('--limit <n>', 'how many at most', positiveInteger, 20)
    .option('--json', 'print JSON')
    .action((options: JsonFlag & ListFlags) => act(options, (output) => handlers.list(withoutJson(options), output)));

  verb(
    'hosts',
    'list the hosts and what they do',
    'List every host with workers: roles, slots, free disk, version, when it was last seen, and what it does.',
    'flightline hosts',
  )
    .option('--json', 'print JSON')
    .action((options: JsonFlag) => act(options, (output) => handlers.hosts(output)));

  verb(
    'status',
    'show how a release stands',
    'Show how a release stands.',
    'flightline status quay.io/acme/edge-camera:v1 --json',
  )
    .argument(...RELEASE)
    .option('--json', 'print the record as JSON')
    .action((release: string, options: JsonFlag) => act(options, (output) => handlers.status(release, output)));

  verb(
    'watch',
    'show the progress of a release',
    'Show the progress of a release to its end, or until it is held. Ctrl-C only stops watching.',
    'flightline watch quay.io/acme/edge-camera:v1',
  )
    .argument(...RELEASE)
    .option('--json', 'print the record as JSON at the end; progress goes to standard error')
    .action((release: string, options: JsonFlag) => act(options, (output) => handlers.watch(release, output)));

  verb(
    'cancel',
    'end a release and clean up',
    'End a release and wait until its hosts are cleaned up. No tag is moved.',
    'flightline cancel quay.io/acme/edge-camera:v1',
  )
    .argument(...RELEASE)
    .option('--json', 'print the record as JSON')
    .action((release: string, options: JsonFlag) => act(options, (output) => handlers.cancel(release, output)));

  verb(
    'retry',
    'let what is held go on',
    'Let every held branch of a release go on.',
    'flightline retry quay.io/acme/edge-camera:v1',
    'flightline retry quay.io/acme/edge-camera:v1 --spec flightline.yaml',
  )
    .argument(...RELEASE)
    .option('--spec <file>', 'pack and send the context of this spec anew; stages whose inputs changed run again')
    .option('--detach', 'do not show the progress')
    .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository')
    .option('--json', 'print the record as JSON; progress goes to standard error')
    .action((release: string, options: JsonFlag & { spec?: string; detach?: boolean; publicContext?: boolean }) =>
      act(options, (output) => handlers.retry(release, withoutJson(options), output)),
    );

  addTagVerbs(verb, act, handlers);

  verb(
    'logs',
    "print a stage's whole log",
    "Print a stage's whole log, of a finished release from the registry; without a stage that of the failure, or of the stage that began last.",
    'flightline logs quay.io/acme/edge-camera:v1 disk-build',
    'flightline logs quay.io/acme/edge-camera:v1 publish --subject qcow2',
    'flightline logs quay.io/acme/edge-camera:v1 --follow',
    'flightline logs quay.io/acme/edge-camera:v1 build --key release.pub',
  )
    .argument(...RELEASE)
    .argument('[stage]', 'build, push, device-verify, disk-build, boot-test or publish')
    .addOption(new Option('--stage <stage>', 'the same, as it was written before').hideHelp())
    .option('--subject <subject>', 'only of this: image, a disk type, or the types of a builder run (qcow2+vmdk)')
    .option('--follow', 'go on until the stage, or without one the release, has ended; Ctrl-C only stops watching')
    .option('--key <file>', 'the public key: take the record from the registry, verified, and ask no Temporal')
    .option('--record-repository <repository>', 'where the record is, with --key; default is REPOSITORY/release')
    .option('--json', 'print JSON')
    .action((release: string, stage: string | undefined, options: JsonFlag & LogsFlags) =>
      act(options, (output) =>
        handlers.logs(release, { ...withoutJson(options), stage: stage ?? options.stage }, output),
      ),
    );

  addScheduleCommand(
    verb(
      'schedule',
      'release by itself, every night',
      "Let Temporal release a project by itself at the times of its spec's `schedule`; one schedule for each repository.",
      'flightline schedule set flightline.yaml --cron "0 2 * * *" --time-zone Europe/Berlin',
      'flightline schedule show quay.io/acme/edge-camera',
    ),
    handlers,
    act,
  );

  verb(
    'prune',
    'remove old releases from the registry',
    'Remove old releases of a repository with their disks, records, signatures and unused contexts. A release is kept when it is ' +
      'among the newest, or young, or anything else needs one of its digests.',
    'flightline prune quay.io/acme/edge-camera --keep-last 7 --keep-within 30d --dry-run',
    'flightline prune quay.io/acme/edge-camera --cron "0 4 * * 0"',
  )
    .argument('<repository>', 'the repository of the OS images, without a tag')
    .option('--keep-last <n>', 'keep so many of the newest releases', positiveInteger, 7)
    .option('--keep-within <time>', 'keep releases younger than this: 12h, 30d', '30d')
    .option('--dry-run', 'only say what would be removed')
    .option('--record-repository <repository>', 'repositories.record of the spec; default is REPOSITORY/release')
    .option('--context-repository <repository>', 'repositories.context of the spec; default is REPOSITORY/context')
    .addOption(
      new Option('--cron <expression>', 'do it regularly, by a Temporal Schedule').conflicts(['dryRun', 'unschedule']),
    )
    .option('--time-zone <zone>', 'in which --cron is meant', 'UTC')
    .addOption(new Option('--unschedule', 'end doing it regularly').conflicts('dryRun'))
    .option('--json', 'print what was removed and kept as JSON')
    .action((repository: string, options: PruneFlags) =>
      act(options, (output) => handlers.prune(repository, withoutJson(options), output)),
    );

  verb(
    'keygen',
    'make a signing key',
    'Make a signing key: P.private, P.pub and, unless a passphrase is given, P.passphrase. Overwrites nothing.',
    'flightline keygen --output-prefix ./release',
  )
    .requiredOption('--output-prefix <p>', 'path and beginning of the file names')
    .option(
      '--passphrase-file <f>',
      'file with the passphrase; without it one is asked for, or made and written to P.passphrase',
    )
    .option('--json', 'print the paths as JSON')
    .action((options: JsonFlag & { outputPrefix: string; passphraseFile?: string }) =>
      act(options, (output) => handlers.keygen(withoutJson(options), output)),
    );

  verb(
    'verify',
    'verify an image or disk as a device would',
    'Verify an image, disk artifact or container disk in a registry as a device would: all is refused but what the key signed for that name.',
    'flightline verify quay.io/acme/edge-camera:v1 --key release.pub',
  )
    .argument('<reference>', 'REPOSITORY:TAG')
    .requiredOption('--key <file>', 'the public key')
    .option('--json', 'print JSON')
    .action((reference: string, options: JsonFlag & { key: string }) =>
      act(options, (output) => handlers.verify(reference, { key: options.key }, output)),
    );

  verb(
    'device-config',
    'write what a device needs to verify signatures',
    "Write the public key, registries.d drop-in and policy.json by which a device only takes images that the spec's key signed.",
    'flightline device-config --output device --public-key release.pub',
    'flightline device-config flightline.yaml --output / --merge /etc/containers/policy.json',
  )
    .argument('[spec]', 'the spec', 'flightline.yaml')
    .requiredOption('--output <dir>', "the directory that stands for the device's root: DIR/etc/…")
    .option('--merge <file>', 'add to this policy.json; nothing that it refuses is accepted afterwards')
    .option('--public-key <file>', 'the public key; without it the worker configuration tells where it is')
    .option('--config <file>', 'the worker configuration; default is /etc/flightline/worker.yaml')
    .option('--json', 'print JSON')
    .action((spec: string, options: JsonFlag & DeviceConfigFlags) =>
      act(options, (output) => handlers.deviceConfig(spec, withoutJson(options), output)),
    );

  verb(
    'provision',
    'put an agent configuration into a device as it is provisioned',
    'Print what injects the agent configuration (of `flightctl certificate request --output=embedded`) as /etc/flightctl/config.yaml when a device is provisioned. It holds a private key, and so does what is printed.',
    'flightline provision cloud-init --config config.yaml --output user-data',
    'flightline provision cloud-init --config config.yaml --target openshift-virtualization --name edge-1 --image quay.io/acme/edge-camera/diskimage-qcow2:v1',
    'flightline provision cloud-init --config config.yaml --target vsphere --name edge-1',
    'flightline provision kickstart --config config.yaml',
  )
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
    .option('--output <file>', 'write it to this file (0600), and not to standard output')
    .action((mechanism: string, options: ProvisionFlags) =>
      act({}, (output) => handlers.provision(mechanism, options, output)),
    );

  addMachineVerbs(verb, act, handlers);
  return program;
}

type InitOptions = JsonFlag & {
  target?: (typeof TARGETS)[number];
  base?: (typeof BASES)[number];
  binding?: (typeof BINDINGS)[number];
  podmanCompose?: boolean;
  repository?: string;
  baseImage?: string;
  builderImage?: string;
};
type RunFlags = JsonFlag & {
  strict?: boolean;
  dryRun?: boolean;
  replace?: boolean;
  tag?: string;
  detach?: boolean;
  onFailure?: 'hold' | 'fail';
  keepFiles?: string;
  publicContext?: boolean;
};

interface ListFlags {
  status?: string;
  repository?: string;
  since?: string;
  limit: number;
}
interface LogsFlags {
  stage?: string;
  subject?: string;
  follow?: boolean;
  key?: string;
  recordRepository?: string;
}
type PruneFlags = JsonFlag & {
  keepLast: number;
  keepWithin: string;
  dryRun?: boolean;
  recordRepository?: string;
  contextRepository?: string;
  cron?: string;
  timeZone: string;
  unschedule?: boolean;
};
interface DeviceConfigFlags {
  output: string;
  merge?: string;
  publicKey?: string;
  config?: string;
}
interface ProvisionFlags {
  config: string;
  target?: string;
  name?: string;
  image?: string;
  record?: string;
  output?: string;
}

const RELEASE = ['<release>', 'REPOSITORY:TAG, or the workflow id'] as const;

function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a positive whole number.');
}
