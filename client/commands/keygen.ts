/** `flightline keygen`: a sigstore key pair, made by skopeo, with a passphrase that is on no command line. */
import type { Command } from '@commander-js/extra-typings';
import { randomBytes } from 'node:crypto';
import { access, chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { CommandError } from '../../activities/tools/process/command.ts';
import { generateKey } from '../../activities/tools/registry/skopeo.ts';
import { withTemporaryDirectory } from '../../activities/tools/temporary-directory.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb, type OptionsOf } from '../verb.ts';
import { askSecret } from '../terminal/secret-prompt.ts';

const syntax = (command: Command) =>
  command
    .requiredOption('--output-prefix <prefix>', 'path and beginning of the file names')
    .option(
      '--passphrase-file <file>',
      'file with the passphrase; without it one is asked for, or made and written to P.passphrase',
    );

type KeygenOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'trust',
  summary: 'make a signing key',
  description:
    'Make a signing key: P.private, P.pub and, unless a passphrase is given, P.passphrase. Overwrites nothing.',
  examples: ['flightline keygen --output-prefix ./release'],
  json: { help: 'print the paths as JSON', schemas: ['keygen'] },

  syntax,

  run: (args, options, output) => keygen(args, options, output),
});

/** Bytes of chance in a passphrase that is made here. */
const PASSPHRASE_BYTES = 32;
/** Shortest passphrase that a person may type. */
const SHORTEST = 8;

/** Makes the key pair. */
async function keygen(_: [], options: KeygenOptions, output: Output): Promise<number> {
  const prefix = resolve(options.outputPrefix);
  const files = { privateKey: `${prefix}.private`, publicKey: `${prefix}.pub`, passphrase: `${prefix}.passphrase` };
  await refuseExisting([files.privateKey, files.publicKey]);
  const typed = options.passphraseFile === undefined && isatty(0) && isatty(2) ? await typePassphrase() : '';
  const makes = options.passphraseFile === undefined && typed === '';
  if (makes) await refuseExisting([files.passphrase]);
  await mkdir(dirname(prefix), { recursive: true });
  await withTemporaryDirectory('flightline-keygen-', async (scratch) => {
    const passphraseFile =
      options.passphraseFile === undefined ? join(scratch, 'passphrase') : resolve(options.passphraseFile);
    if (options.passphraseFile === undefined) {
      const passphrase = makes ? randomBytes(PASSPHRASE_BYTES).toString('base64url') : typed;
      await writeFile(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
    } else {
      await checkPassphraseFile(options.passphraseFile);
    }
    await generate(prefix, passphraseFile);
    await chmod(files.privateKey, 0o600);
    if (makes) await writeFile(files.passphrase, await readFile(passphraseFile), { mode: 0o600, flag: 'wx' });
  });
  const kept = makes ? files.passphrase : options.passphraseFile === undefined ? null : resolve(options.passphraseFile);
  report(files, kept, makes, output);
  return EXIT.ok;
}

function report(
  files: { privateKey: string; publicKey: string },
  passphrase: string | null,
  made: boolean,
  output: Output,
): void {
  const name = basename(files.publicKey, '.pub');
  const passphraseLine =
    passphrase === null
      ? '  passphrase   the one you typed; the sign worker reads it from a file (0600) that you write'
      : `  passphrase   ${passphrase}${made ? ' (made by chance, only you can read it)' : ''}`;
  output.result(
    [
      `  private key  ${files.privateKey} (for the sign worker; keep it secret)`,
      `  public key   ${files.publicKey} (for devices: \`keyPath\` in their policy.json)`,
      passphraseLine,
      '',
      "In the sign worker's configuration:",
      `  keys:`,
      `    ${/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) ? name : 'release'}:`,
      `      privateKey: ${files.privateKey}`,
      `      publicKey: ${files.publicKey}`,
      `      passphraseFile: ${passphrase ?? '…'}`,
      '      repositories: [quay.io/acme]   # what it may sign for',
    ].join('\n'),
  );
  output.document({ privateKey: files.privateKey, publicKey: files.publicKey, passphraseFile: passphrase });
}

async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const exists = await access(path).then(
      () => true,
      () => false,
    );
    if (!exists) continue;
    throw new UserError(
      'exists',
      `${path} exists already, and a key is never overwritten: what it signed could not be verified any more`,
      'choose another --output-prefix, or move that file away first',
    );
  }
}

async function checkPassphraseFile(file: string): Promise<void> {
  try {
    await readFile(file);
  } catch (error) {
    throw new UserError(
      'passphrase-file',
      `the passphrase file cannot be read: ${(error as Error).message}`,
      'name a file with the passphrase in its first line, readable only by you',
    );
  }
}

async function typePassphrase(): Promise<string> {
  const first = await askSecret(`Passphrase of the key (nothing: one is made and written to a file): `);
  if (first === '') return '';
  if (first.length < SHORTEST) {
    throw new UserError('passphrase', `the passphrase is shorter than ${SHORTEST} characters`, 'type a longer one');
  }
  if ((await askSecret('The same once more: ')) !== first) {
    throw new UserError('passphrase', 'the two passphrases differ', 'run the command again');
  }
  return first;
}

async function generate(prefix: string, passphraseFile: string): Promise<void> {
  try {
    await generateKey(prefix, passphraseFile);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError(
      'skopeo',
      error.message,
      error.notFound ? 'install skopeo 1.14 or later' : 'see that the directory can be written and try again',
      EXIT.failed,
    );
  }
}
