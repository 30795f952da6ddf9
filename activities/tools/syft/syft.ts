/** Syft, the operator's tool for bills of materials. */
import { SBOMS, type SbomFormat } from '../../../model/oci/sbom.ts';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { CommandError, runCommand, type CommandOptions } from '../process/command.ts';

/** What is scanned. */
interface Scanned {
  /** The image's root file system. */
  root: string;
  /** What stands in the bill: the repository, and the image's id. */
  name: string;
  version: string;
  /** Where each format is written. */
  files: Readonly<Partial<Record<SbomFormat, string>>>;
}

/**
 * Arguments of Syft. It looks for what is installed, as in an image, and follows no link out of the root. Pure.
 */
function syftArguments({ root, name, version, files }: Scanned): string[] {
  return [
    'scan',
    `dir:${root}`,
    '--quiet',
    `--base-path=${root}`,
    '--override-default-catalogers=image',
    `--source-name=${name}`,
    `--source-version=${version}`,
    ...Object.entries(files).map(([format, file]) => `--output=${SBOMS[format as SbomFormat].syft}=${file}`),
  ];
}

const REMEDY = 'install Syft on the build host, or name its place as tools.syft in the worker configuration there';

/** Milliseconds in which it must have said its version. */
const LOOK_WITHIN = 30_000;

/** What Syft says of itself; null where it is not installed. @throws CommandError when it does not run */
export async function syftVersion(program: string): Promise<string | null> {
  try {
    return (await runCommand(program, ['--version'], { timeout: LOOK_WITHIN })).stdout.trim();
  } catch (error) {
    if (error instanceof CommandError && error.notFound) return null;
    throw error;
  }
}

/** Scans a root file system. @throws FlightlineError `sbom` when it is not there, or fails */
export async function scanWithSyft(program: string, scanned: Scanned, options: CommandOptions): Promise<void> {
  // It would ask its maker for a newer version.
  const environment = { SYFT_CHECK_FOR_APP_UPDATE: 'false' };
  try {
    await runCommand(program, syftArguments(scanned), { ...options, environment, keepOutput: false });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.notFound)
      throw new FlightlineError('sbom', `there is no ${program} on this host`, { remedy: REMEDY, cause: error });
    const said = error.stderr.trim() || error.stdout.trim() || error.message;
    throw new FlightlineError('sbom', `Syft could not read the image: ${said}`, { cause: error });
  }
}
