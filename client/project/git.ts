/** What git knows of a context: its commit, whether that is all there is, and where it came from. */
import { CommandError, runCommand } from '../../activities/tools/process/command.ts';
import { commitOf } from '../../activities/tools/git.ts';
import { UserError } from '../terminal/errors.ts';

/** Facts for `{{commit}}` and the image's labels. */
interface GitFacts {
  /** First 12 digits of the commit; `undefined` without a work tree, and when something is not committed. */
  commit: string | undefined;
  /** URL of the source, without credentials; null for no source. */
  source: string | null;
}

/** Digits of a commit in tags and labels. */
const COMMIT_DIGITS = 12;
/** Milliseconds for a command that reads the disk. */
const LOCAL_TIMEOUT = 30_000;
/** Milliseconds for one that asks a server. */
const REMOTE_TIMEOUT = 60_000;

/**
 * Looks a directory up in git.
 *
 * @param paths absolute; what is changed or untracked below them makes the context dirty.
 */
export async function gitFacts(directory: string, paths: readonly string[]): Promise<GitFacts> {
  const [head, changes, remote] = await Promise.all([
    git(directory, ['rev-parse', '--verify', 'HEAD^{commit}']),
    git(directory, ['status', '--porcelain', '--untracked-files=normal', '--', ...paths]),
    git(directory, ['remote', 'get-url', 'origin']),
  ]);
  if (head === undefined) return { commit: undefined, source: null };
  return {
    commit: changes === '' ? head.slice(0, COMMIT_DIGITS) : undefined,
    source: remote === undefined ? null : publicSource(remote),
  };
}

/** The output of a git command, trimmed; `undefined` when git is not there or refuses. */
async function git(directory: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await runCommand('git', ['-C', directory, ...args], { timeout: LOCAL_TIMEOUT });
    return stdout.trim();
  } catch (error) {
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** A remote's URL as it may be published: no user, no password, nothing local. */
export function publicSource(remote: string): string | null {
  const scp = /^(?:[^@/:]+@)?([A-Za-z0-9.-]+):(?!\/\/)(.+)$/.exec(remote);
  if (scp && !remote.includes('://')) return `ssh://${scp[1]}/${scp[2]!.replace(/^\/+/, '')}`;
  if (!/^(?:https?|ssh|git):\/\//.test(remote) || !URL.canParse(remote)) return null;
  const url = new URL(remote);
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}

/**
 * Looks up the commit that a branch, tag or commit of a remote repository means.
 *
 * @throws UserError `git` (exit code 2) when the repository does not answer or has no such ref.
 */
export async function remoteCommit(url: string, ref: string): Promise<string> {
  if (/^[0-9a-f]{40}$/.test(ref)) return ref;
  const agent = process.env['SSH_AUTH_SOCK'];
  let stdout: string;
  try {
    ({ stdout } = await runCommand('git', ['ls-remote', '--', url, ref, `${ref}^{}`], {
      timeout: REMOTE_TIMEOUT,
      // git would ask for a password on the terminal and wait.
      environment: { GIT_TERMINAL_PROMPT: '0', ...(agent ? { SSH_AUTH_SOCK: agent } : {}) },
    }));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new UserError('git', error.message, 'check image.context.git, and that git may read it from here');
  }
  const commit = commitOf(stdout, ref);
  if (commit) return commit;
  throw new UserError('git', `${publicSource(url) ?? url} has no branch or tag "${ref}"`, 'check image.context.ref');
}
