/** `flightline init`: a project after the guide, in a directory that has none yet. */
import { lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { terminalAsker } from '../terminal/ask.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Choices } from '../init/choices.ts';
import { complete, type InitFlags } from '../init/completion.ts';
import { containerfileText } from '../init/containerfile.ts';
import { containerignoreText, specText } from '../init/spec.ts';
import type { Output } from '../terminal/output.ts';

export type { InitFlags } from '../init/completion.ts';

/** Writes the files of a project, all or none. */
export async function init(directory: string, flags: InitFlags, output: Output): Promise<number> {
  // Before any question: whoever has answered them all should get the project.
  await refuseExisting(directory, [...FILES]);
  const choices = await complete(flags, terminalAsker());
  const files = filesOf(choices);
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
}

const FILES = ['Containerfile', 'flightline.yaml', '.containerignore'] as const;

/** The files' texts by name. */
export function filesOf(choices: Choices): Map<(typeof FILES)[number], string> {
  return new Map([
    ['Containerfile', containerfileText(choices)],
    ['flightline.yaml', specText(choices)],
    ['.containerignore', containerignoreText(choices)],
  ]);
}

/** What is to be done before the first run. */
function next({ base, binding }: Choices): string[] {
  const steps = [
    ...(base === 'rhel9'
      ? ['  register the build host (subscription-manager) and log it in to registry.redhat.io']
      : []),
    ...(binding === 'early'
      ? [
          '  log the build host in to Flight Control (`flightctl login --config-dir DIR URL`), and name DIR under `flightctl`',
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
