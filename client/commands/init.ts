/** `flightline init`: a project after the guide, in a directory that has none yet. */
import { Option } from '@commander-js/extra-typings';
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminalAsker, type Asker } from '../terminal/ask.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { BASES, BINDINGS, isRhel, TARGETS, type Choices } from '../init/choices.ts';
import { complete, missingFlags } from '../init/completion.ts';
import { PROJECT_FILES, projectFiles } from '../init/project.ts';
import { verb } from '../verb.ts';

export default verb({
  group: 'project',
  summary: 'start a project',
  description:
    'Write Containerfile, flightline.yaml and .containerignore after the guide; asks on a terminal for what no flag ' +
    'says. Writes over no file.',
  examples: [
    'flightline init edge-camera',
    'flightline init --target bare-metal --base centos-stream9 --binding late --repository quay.io/acme/edge-camera',
  ],
  json: { help: 'print what was written as JSON', schemas: ['init'] },

  syntax: (command) =>
    command
      .argument('[dir]', 'the directory, made if it is not there; default is this one')
      .addOption(new Option('--target <target>', 'where devices run; says which disks are made').choices(TARGETS))
      .addOption(new Option('--base <base>', 'what the image is built on').choices(BASES))
      .addOption(
        new Option(
          '--binding <binding>',
          'early: the image holds the enrollment; late: provisioning brings it',
        ).choices(BINDINGS),
      )
      .option('--podman-compose', 'support applications of podman-compose')
      .option('--no-podman-compose', 'leave that as a comment; do not ask')
      .option('--ssh-key <file>', 'public key of a first user, put into the disks: ~/.ssh/id_ed25519.pub')
      .option('--user <name>', "the first user's name; default is yours")
      .option('--repository <repository>', 'where the OS image is published: quay.io/acme/edge-camera')
      .option('--base-image <image>', 'another image than the one of --base')
      .option('--builder-image <image>', 'another image than bootc-image-builder'),

  /** Writes the files of a project, all or none. */
  async run([named], flags, output) {
    const asker = terminalAsker();
    const directory = named ?? (await chosenDirectory(flags, asker));
    // Before the other questions, so that nobody answers them all in vain.
    await refuseExisting(directory, PROJECT_FILES);
    const choices = await complete(flags, asker);
    const files = projectFiles(choices);
    await writeAll(directory, files);
    const spec = join(directory, 'flightline.yaml');
    output.result(
      [
        ...[...files.keys()].map((name) => `wrote ${join(directory, name)}`),
        '',
        ...next(choices),
        `  flightline lint ${spec}`,
        `  flightline run ${spec}`,
      ].join('\n'),
    );
    output.document({ directory, files: [...files.keys()], ...choices });
    return EXIT.ok;
  },
});

/** Asked for where anything is. */
async function chosenDirectory(flags: Parameters<typeof complete>[0], asker: Asker | null): Promise<string> {
  if (!asker || missingFlags(flags).length === 0) return '.';
  return (await asker.text('In which directory? Nothing for this one', 'edge-camera', () => undefined)) || '.';
}

/** What is to be done before the first run. */
function next({ base, binding }: Choices): string[] {
  const steps = [
    ...(isRhel(base) ? ['  register the build host (subscription-manager) and log it in to registry.redhat.io'] : []),
    ...(binding === 'early'
      ? [
          '  log the build host in to Flight Control (`flightctl login --config-dir DIR URL`), ' +
            'and name DIR under `flightctl`',
          '  in its worker configuration',
        ]
      : []),
  ];
  return ['Next:', ...steps];
}

async function refuseExisting(directory: string, names: readonly string[]): Promise<void> {
  const inTheWay: string[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found) inTheWay.push(path);
  }
  if (inTheWay.length > 0) throw existing(inTheWay);
}

function existing(paths: readonly string[]): UserError {
  return new UserError(
    'exists',
    `${paths.join(', ')} ${paths.length === 1 ? 'exists' : 'exist'} already; nothing was written`,
    'name another directory, or move what is in the way',
  );
}

async function writeAll(directory: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(directory, { recursive: true });
  const written: string[] = [];
  try {
    for (const [name, text] of files) {
      const path = join(directory, name);
      await writeFile(path, text, { flag: 'wx' });
      written.push(path);
    }
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    const { code, path = '' } = error as NodeJS.ErrnoException;
    throw code === 'EEXIST' ? existing([path]) : error;
  }
}
