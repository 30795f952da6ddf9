/** git: looks up commits and fetches one tree, never asking for a password and never running hooks or filters of a repository. */
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

/** The scheme of a git URL: `https` of `https://…`. */
export function gitScheme(url: string): string {
  return url.slice(0, url.indexOf('://'));
}

/**
 * The commit (40 hexadecimal digits) that a branch, tag or commit of a remote names now.
 *
 * @throws FlightlineError `context-invalid` when there is none, `registry` when the remote cannot be reached.
 */
export async function lookUpCommit(url: string, ref: string): Promise<string> {
  if (/^[0-9a-f]{40}$/.test(ref)) return ref;
  const { stdout } = await git(['ls-remote', '--', url, ref, `${ref}^{}`], [gitScheme(url)]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  // An annotated tag is listed twice: its commit has ^{} behind the name.
  const line = lines.find((text) => text.endsWith('^{}')) ?? lines[0];
  const commit = line?.split('\t')[0];
  if (!commit || !/^[0-9a-f]{40}$/.test(commit)) {
    throw new FlightlineError('context-invalid', `${url} has no branch, tag or commit "${ref}"`, {
      remedy: 'correct image.context.ref in the spec',
    });
  }
  return commit;
}

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

/** Facts of a local work tree: its commit and where it came from; null outside of git, or when something is not committed. */
export async function workTreeFacts(directory: string): Promise<{ commit: string; source: string | null } | null> {
  const local = async (...args: string[]) =>
    (await runCommand('git', ['-C', directory, ...args], { environment: environment(['none']) })).stdout.trim();
  try {
    if ((await local('status', '--porcelain', '--', '.')) !== '') return null;
    const commit = await local('rev-parse', 'HEAD');
    const source = await local('remote', 'get-url', 'origin').catch(() => null);
    return { commit, source: source && withoutCredentials(source) };
  } catch (error) {
    if (error instanceof CommandError) return null;
    throw error;
  }
}

/** `https://user:token@host/x` without what stands before the `@`. */
function withoutCredentials(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
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
