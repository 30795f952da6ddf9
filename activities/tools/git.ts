/** git for control workers: checks out one commit, without asking for passwords or running a repository's hooks. */
import { lstat, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isAllowedScheme } from '../../model/spec/worker-configuration.ts';
import { CommandError, lastLines, runCommand } from './process/command.ts';
import { anyOf } from './any-of.ts';

/** Milliseconds for one git command against a remote. */
const REMOTE_TIMEOUT = 10 * 60_000;
/** The beginning of a pointer to Git LFS, and the most bytes of one. */
const POINTER = 'version https://git-lfs.github.com/spec/v1\n';
const LARGEST_POINTER = 1024;
/** Most file names in a message. */
const NAMED = 3;

/** A checkout leaves pointers to Git LFS alone. Their content is fetched afterwards, from where the operator allows. */
const WITHOUT_LFS = { process: '', smudge: '', clean: '', required: 'false' };
/** The configuration of `git lfs install`, without which Git LFS fetches nothing. */
const WITH_LFS = {
  process: 'git-lfs filter-process',
  smudge: 'git-lfs smudge -- %f',
  clean: 'git-lfs clean -- %f',
  required: 'true',
};

function environment(schemes: readonly string[], lfs: Record<string, string> = WITHOUT_LFS): Record<string, string> {
  const filter = Object.entries(lfs).map(([key, value]): [string, string] => [`filter.lfs.${key}`, value]);
  const settings = [['core.hooksPath', '/dev/null'] as const, ...filter];
  return {
    GIT_TERMINAL_PROMPT: '0',
    GIT_ALLOW_PROTOCOL: schemes.join(':'),
    GIT_CONFIG_COUNT: `${settings.length}`,
    ...Object.fromEntries(
      settings.flatMap(([key, value], index) => [
        [`GIT_CONFIG_KEY_${index}`, key],
        [`GIT_CONFIG_VALUE_${index}`, value],
      ]),
    ),
  };
}

/**
 * Checks out one commit of a remote into an empty directory, with its submodules and the contents of files in Git LFS,
 * all by the allowed schemes. Removes git's own files.
 *
 * @returns the commit's time, in seconds since 1970
 * @throws FlightlineError `context-invalid`, `git-not-allowed`, `registry`; `host-setup` when a program is missing.
 */
export async function checkOutCommit(
  url: string,
  commit: string,
  directory: string,
  schemes: readonly string[],
): Promise<{ time: number }> {
  const run = (...args: string[]) => git(['-C', directory, ...args], schemes);
  await git(['init', '--quiet', directory], schemes);
  // Relative URLs of submodules start from it.
  await run('remote', 'add', 'origin', url);
  await run('fetch', '--quiet', '--depth', '1', 'origin', commit);
  await run('checkout', '--quiet', '--detach', 'FETCH_HEAD');
  await run('submodule', 'update', '--quiet', '--init', '--recursive', '--checkout', '--depth', '1');
  for (const tree of await workTrees(directory)) await fetchLargeFiles(tree, schemes);
  const { stdout } = await run('show', '--no-patch', '--format=%ct', 'HEAD');
  for (const tree of await workTrees(directory)) await rm(join(tree, '.git'), { recursive: true });
  return { time: Number(stdout.trim()) };
}

/** A directory and its submodules, outer ones first. A commit cannot contain a `.git`. */
async function workTrees(directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.name === '.git') found.unshift(directory);
    else if (entry.isDirectory()) found.push(...(await workTrees(join(directory, entry.name))));
  }
  return found;
}

/** Fetches the files of Git LFS. @throws FlightlineError when one stays a pointer */
async function fetchLargeFiles(tree: string, schemes: readonly string[]): Promise<void> {
  const pointers = await pointersIn(tree, schemes);
  if (pointers.length === 0) return;
  const what = `${pointers.slice(0, NAMED).join(', ')}${pointers.length > NAMED ? ' and others' : ''}`;
  try {
    await runCommand('git', ['lfs', 'version'], { environment: environment(schemes) });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new FlightlineError(
      'host-setup',
      `the git repository keeps ${what} in Git LFS, which the control worker lacks`,
      {
        remedy: 'install git-lfs on the control worker',
      },
    );
  }
  await requireAllowedServers(tree, schemes);
  await git(['-C', tree, 'lfs', 'pull'], schemes, { environment: environment(schemes, WITH_LFS) });
  const left = await pointersIn(tree, schemes);
  if (left.length === 0) return;
  throw new FlightlineError('context-invalid', `Git LFS has no content for ${left.slice(0, NAMED).join(', ')}`, {
    remedy: 'push the files with `git lfs push`, and see that .lfsconfig excludes none',
  });
}

/** The files of a work tree, without submodules, that are pointers to Git LFS. */
async function pointersIn(tree: string, schemes: readonly string[]): Promise<string[]> {
  const { stdout: files } = await git(['-C', tree, 'ls-files', '-z'], schemes);
  if (files === '') return [];
  const { stdout } = await git(['-C', tree, 'check-attr', '-z', '--stdin', 'filter'], schemes, { input: files });
  const fields = stdout.split('\0');
  const pointers: string[] = [];
  for (let at = 0; at + 2 < fields.length; at += 3) {
    if (fields[at + 2] === 'lfs' && (await isPointer(join(tree, fields[at]!)))) pointers.push(fields[at]!);
  }
  return pointers;
}

async function isPointer(file: string): Promise<boolean> {
  const facts = await lstat(file).catch(() => undefined);
  if (!facts?.isFile() || facts.size > LARGEST_POINTER) return false;
  const handle = await open(file, 'r');
  try {
    return (await handle.readFile('utf8')).startsWith(POINTER);
  } finally {
    await handle.close();
  }
}

/** Git LFS takes its server from the repository's own .lfsconfig, and ignores which schemes git allows. */
async function requireAllowedServers(tree: string, schemes: readonly string[]): Promise<void> {
  const { stdout } = await runCommand(
    'git',
    [
      '-C',
      tree,
      'config',
      '-z',
      '--file',
      '.lfsconfig',
      '--get-regexp',
      String.raw`^(lfs|remote\..*)\.(push|lfspush|lfs)?url$`,
    ],
    { environment: environment(schemes), okExitCodes: [0, 1] },
  );
  for (const line of stdout.split('\0').filter((entry) => entry !== '')) {
    const server = line.slice(line.indexOf('\n') + 1);
    if (isAllowedScheme(schemes, server)) continue;
    throw new FlightlineError(
      'git-not-allowed',
      `.lfsconfig names a server by another scheme than ${schemes.join(', ')}`,
    );
  }
}

/**
 * The commit that a branch, tag or commit of a remote means now.
 *
 * @throws FlightlineError `context-invalid` when the ref does not exist; otherwise as {@link checkOutCommit}.
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

async function git(
  args: readonly string[],
  schemes: readonly string[],
  options: { input?: string; environment?: Record<string, string> } = {},
) {
  try {
    return await runCommand('git', args, { environment: environment(schemes), timeout: REMOTE_TIMEOUT, ...options });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = lastLines(error.output, 5);
    if (error.notFound) throw new FlightlineError('host-setup', 'git is not installed on the control worker');
    const unreachable = anyOf(
      /could not resolve host|connection (?:refused|timed out|reset)|operation timed out|http 5\d\d/i,
      /returned error: 5\d\d/i,
    );
    if (error.timedOut || unreachable.test(said)) throw new FlightlineError('registry', `git: ${said}`);
    throw new FlightlineError('context-invalid', `git: ${said}`, {
      remedy: 'check image.context: the URL, the ref, and that the control worker may read the repository',
    });
  }
}
