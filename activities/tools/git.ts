/** git for control workers: fetches one tree, never asking for a password and never running hooks of a repository. */
import { FlightlineError } from '../../model/release/failure.ts';
import { CommandError, lastLines, runCommand } from './process/command.ts';

/** Milliseconds for one git command against a remote. */
const REMOTE_TIMEOUT = 10 * 60_000;

const environment = (schemes: readonly string[]) => ({
  GIT_TERMINAL_PROMPT: '0',
  GIT_ALLOW_PROTOCOL: schemes.join(':'),
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'core.hooksPath',
  GIT_CONFIG_VALUE_0: '/dev/null',
});

/** Checks one commit of a remote out into an empty directory. */
export async function fetchCommit(
  url: string,
  commit: string,
  directory: string,
  schemes: readonly string[],
): Promise<void> {
  await git(['init', '--quiet', directory], schemes);
  await git(['-C', directory, 'fetch', '--quiet', '--depth', '1', '--', url, commit], schemes);
  await git(['-C', directory, 'checkout', '--quiet', '--detach', 'FETCH_HEAD'], schemes);
}

/**
 * The commit that a branch, tag or commit of a remote means now.
 *
 * @throws FlightlineError `context-invalid` when there is no such ref; as {@link fetchCommit} otherwise.
 */
export async function newestCommit(url: string, ref: string, schemes: readonly string[]): Promise<string> {
  if (/^[0-9a-f]{40}$/.test(ref)) return ref;
  const { stdout } = await git(['ls-remote', '--', url, ref, `${ref}^{}`], schemes);
  const commit = commitOf(stdout, ref);
  if (commit) return commit;
  throw new FlightlineError('context-invalid', `the git repository has no branch or tag "${ref}"`, {
    remedy: 'check image.context.ref',
  });
}

/** Chooses from the lines of `git ls-remote`: HEAD, the commit of an annotated tag, a tag, a branch, in this order. */
export function commitOf(output: string, ref: string): string | undefined {
  const refs = new Map(
    output
      .split('\n')
      .map((line) => line.split('\t'))
      .filter((parts) => parts.length === 2)
      .map(([commit, name]) => [name!, commit!]),
  );
  const names = [ref, `refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`, `${ref}^{}`];
  const found = names.map((name) => refs.get(name)).find((commit) => commit !== undefined);
  return found && /^[0-9a-f]{40,64}$/.test(found) ? found : undefined;
}

async function git(args: readonly string[], schemes: readonly string[]) {
  try {
    return await runCommand('git', args, { environment: environment(schemes), timeout: REMOTE_TIMEOUT });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.output, 5);
    if (error.notFound) throw new FlightlineError('host-setup', 'git is not installed on the control worker');
    const unreachable =
      /could not resolve host|connection (?:refused|timed out|reset)|operation timed out|http 5\d\d|returned error: 5\d\d/i;
    if (error.timedOut || unreachable.test(said)) throw new FlightlineError('registry', `git: ${said}`);
    throw new FlightlineError('context-invalid', `git: ${said}`, {
      remedy: 'check image.context: the URL, the ref, and that the control worker may read the repository',
    });
  }
}
