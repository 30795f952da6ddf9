/** `bootc container lint` in a built image: its command line, and its findings. Pure. */
import { BRANCH_LABEL, INSTALLATION_LABEL, RELEASE_LABEL } from '../../../model/oci/labels.ts';
import { sha256 } from '../../../model/base/digest.ts';

/** The image to lint. */
export interface LintCommand {
  installation: string;
  release: string;
  platform?: string | undefined;
  /** Id in the host's storage. */
  imageId: string;
}

/** Name of the container that lints a release's image, by which a killed worker's container is found. */
export function lintContainerName({ installation, release, platform = '' }: Omit<LintCommand, 'imageId'>): string {
  return `flightline-lint-${sha256(`${installation}\n${release}${platform}`).slice(0, 12)}`;
}

/** Arguments of `podman`. The image's own bootc reads the image's own files, without network or privileges. */
export function lintArguments(command: LintCommand): string[] {
  const labels = {
    [INSTALLATION_LABEL]: command.installation,
    [RELEASE_LABEL]: command.release,
    [BRANCH_LABEL]: 'image',
  };
  return [
    'run',
    '--rm',
    `--name=${lintContainerName(command)}`,
    '--pull=never',
    '--network=none',
    '--user=0',
    ...Object.entries(labels).map(([name, value]) => `--label=${name}=${value}`),
    '--entrypoint=bootc',
    command.imageId,
    'container',
    'lint',
  ];
}

/** The result of a lint: `absent` when the image has no bootc. `warnings` are whole lines. */
type LintVerdict = { kind: 'absent' } | { kind: 'passed' | 'failed'; warnings: string[] };

/** Exit codes of `podman run` (podman-run(1)): 127 for a command that is not in the image. */
const NOT_FOUND = 127;

/** Reads an exit code and all lines (bootc `crates/lib/src/lints.rs`: `Lint warning: NAME: …`). */
export function readLint(exitCode: number, lines: readonly string[]): LintVerdict {
  // A bootc that itself ends with 127 prints no such line.
  const absent = (line: string) => /\bbootc\b.*(?:not found|no such file)/i.test(line);
  if (exitCode === NOT_FOUND && lines.some(absent)) return { kind: 'absent' };
  const warnings = lines.filter((line) => /^(?:Lint )?warning:/i.test(line.trim())).map((line) => line.trim());
  return { kind: exitCode === 0 ? 'passed' : 'failed', warnings };
}
