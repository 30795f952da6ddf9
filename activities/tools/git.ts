/** git for control workers: fetches one tree, never asking for a password and never running hooks of a repository. */
import { FlightlineError } from '../../spec/failure.ts';
import { CommandError, lastLines, runCommand } from './command.ts';

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
