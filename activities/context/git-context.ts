/** A git context: a commit is checked out, and packed as the client packs a directory. */
import { mkdir, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { FlightlineError } from '../../model/failure/failure.ts';
import type { ContextSource } from '../../model/spec/request.ts';
import { isAllowedScheme } from '../../model/spec/worker-configuration.ts';
import { checkOutCommit } from '../tools/git.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { withTemporaryDirectory } from '../tools/temporary-directory.ts';
import { sendContext } from './context-artifact.ts';
import { packContext, type PackedContext } from './pack.ts';

type GitSource = Extract<ContextSource, { kind: 'git' }>;

/** Packs a commit of a git repository and sends it. @returns the artifact's digest */
export async function sendGitContext(
  access: RegistryAccess,
  repository: string,
  source: GitSource,
  schemes: readonly string[],
): Promise<string> {
  return withGitContext(source, schemes, async (packed) => {
    await sendContext(access, repository, packed);
    return packed.digest;
  });
}

/** Packs a commit of a git repository and runs `body` with it. All files get the commit's time. */
export async function withGitContext<Result>(
  source: GitSource,
  schemes: readonly string[],
  body: (packed: PackedContext) => Promise<Result>,
): Promise<Result> {
  if (!isAllowedScheme(schemes, source.url)) {
    throw new FlightlineError('git-not-allowed', `git contexts may come by ${schemes.join(', ') || 'no scheme'} here`);
  }
  return withTemporaryDirectory('flightline-context-', async (scratch) => {
    const tree = join(await realpath(scratch), 'tree');
    await mkdir(tree);
    const { time } = await checkOutCommit(source.url, source.ref, tree, schemes);
    const directory = await insideTree(tree, tree, source.subdirectory);
    const packed = await packContext(
      {
        directory,
        containerfile: await insideTree(tree, directory, source.containerfile),
        ignoreFile: source.ignoreFile === undefined ? null : await insideTree(tree, directory, source.ignoreFile),
        builderConfig: source.builderConfig && (await insideTree(tree, directory, source.builderConfig)),
        buildContexts: await directoriesInside(tree, directory, source.buildContexts),
        root: tree,
        time,
      },
      scratch,
    );
    return body(packed);
  });
}

async function directoriesInside(tree: string, from: string, paths: Readonly<Record<string, string>> = {}) {
  const found = Object.entries(paths).map(async ([name, path]) => [name, await insideTree(tree, from, path)] as const);
  return Object.fromEntries(await Promise.all(found));
}

/** The absolute path of a file in a git tree. Neither `..` nor a link may lead out of the tree. */
async function insideTree(tree: string, from: string, path: string): Promise<string> {
  const absolute = resolve(from, path);
  const outside = (place: string) => relative(tree, place).split(sep)[0] === '..';
  if (outside(absolute)) throw new FlightlineError('context-invalid', `"${path}" leaves the git repository`);
  const real = await realpath(absolute).catch(() => undefined);
  if (real === undefined) throw new FlightlineError('context-invalid', `the git repository has no "${path}"`);
  if (outside(real)) throw new FlightlineError('context-invalid', `"${path}" is a link that leaves the git repository`);
  return (await stat(real)).isDirectory() ? real : absolute;
}
