/** Runs GNU tar, which alone keeps all of a file: names as bytes, hard links, extended attributes, times. */
import { FlightlineError } from '../../model/failure/failure.ts';
import { CommandError, lastLines, runCommand } from './process/command.ts';

/**
 * The attributes of a file that podman's COPY keeps (buildah, `copier/xattrs.go`). Others belong to the machine.
 */
const ATTRIBUTES = [
  '--xattrs',
  '--xattrs-include=security.capability',
  '--xattrs-include=security.ima',
  '--xattrs-include=user.*',
  '--xattrs-exclude=user.overlay.*',
];

/** `true` for an attribute, as an archive names it, that {@link createTar} packs. */
export function isPackedAttribute(name: string): boolean {
  return /^(?:security\.(?:capability|ima)$|user\.(?!overlay\.))/.test(name);
}

/**
 * Packs the files in a list, without recursion, into a `tar+gzip` file in POSIX format, owned by root. The same files
 * with the same times give the same bytes. A first `/./` in a name is packed as `/`, and `/.` at its end is left out,
 * since the part before may be a link.
 *
 * @param list file of names relative to `directory`, each ended by a zero byte
 * @param time the time of every file, in seconds since 1970; by default its own
 */
export async function createTar(
  directory: string,
  list: string,
  file: string,
  { time }: { time?: number | undefined } = {},
): Promise<void> {
  await tar([
    '--create',
    `--file=${file}`,
    '--use-compress-program=gzip -n',
    '--format=posix',
    '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
    '--no-recursion',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    ...(time === undefined ? [] : [`--mtime=@${time}`]),
    ...ATTRIBUTES,
    // Applies to names and targets of hard links, not of symbolic links.
    '--transform=flags=rhS;s,/\\.$,,;s,/\\./,/,',
    `--directory=${directory}`,
    '--null',
    `--files-from=${list}`,
  ]);
}

/** Unpacks a `tar+gzip` file into an empty directory, for the user that runs it. */
export async function extractTar(file: string, directory: string): Promise<void> {
  await tar([
    '--extract',
    `--file=${file}`,
    '--gzip',
    `--directory=${directory}`,
    '--keep-old-files',
    '--same-permissions',
    '--no-same-owner',
    '--delay-directory-restore',
    ...ATTRIBUTES,
  ]);
}

async function tar(args: readonly string[]): Promise<void> {
  try {
    // Only there are names plain bytes.
    await runCommand('tar', args, { environment: { LC_ALL: 'C' }, keepOutput: false });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.stderr, 5);
    if (/no space left on device/i.test(said)) throw new FlightlineError('disk-full', `tar: ${said}`);
    if (error.notFound || /(?:unrecognized|unknown|invalid) option/i.test(said)) {
      throw new FlightlineError('host-setup', 'GNU tar is not installed', { remedy: 'install GNU tar as `tar`' });
    }
    throw new FlightlineError('context-invalid', `the context cannot be packed or unpacked: ${said}`, {
      remedy: 'make its files readable, and change none meanwhile',
    });
  }
}
