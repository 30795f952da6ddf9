/** Finds the ignore file that applies to a context, and reads its rules. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { FlightlineError } from '../../../model/failure/failure.ts';
import { IgnorePatternError, readIgnorePattern, type IgnorePattern } from './ignore-pattern.ts';
import { textOfBytes } from './path-bytes.ts';

/** The rules that apply. Paths are relative to the context, with `/`. */
export interface IgnoreRules {
  /** The ignore file (absolute) and its content; null when there is none. */
  file: string | null;
  content: Buffer | null;
  /** `true` when podman leaves the path out. A `!` rule may still include a file below an ignored directory. */
  ignores(path: string): boolean;
  /** `true` when a `!` rule may include something below the directory, so that an ignored one must be read. */
  reachesBelow(directory: string): boolean;
  /** `true` when podman reads this ignored directory while it copies one above it. */
  isWalked(directory: string): boolean;
}

/**
 * Where podman looks beside a Containerfile, and in the context where nothing is there; the first that exists counts.
 */
const BESIDE = ['.dockerignore', '.containerignore'];
const IN_CONTEXT = ['.containerignore', '.dockerignore'];

/**
 * Reads the rules for a context.
 *
 * @param place absolute paths; `containerfile` is absent for a further build context, in which podman looks at nothing
 *   else; `ignoreFile` is the one that the spec names, if any; `root` holds it, when that must be so
 * @throws FlightlineError `context-invalid` for an ignore file that cannot be read, and for a rule that podman refuses.
 */
export async function readIgnoreRules(place: {
  directory: string;
  containerfile?: string;
  ignoreFile?: string | null;
  root?: string;
}): Promise<IgnoreRules> {
  const file = place.ignoreFile ?? (await findIgnoreFile(place.directory, place.containerfile));
  if (file === null) return rulesOf(null, null, []);
  if (place.root !== undefined) await requireInside(place.root, file);
  const content = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === 'EISDIR' ? 'it is a directory' : error.message;
    throw invalid(`the ignore file ${file} cannot be read: ${reason}`, 'make it a readable file, or remove it');
  });
  return rulesOf(file, content, readPatterns(content, file));
}

async function findIgnoreFile(directory: string, containerfile: string | undefined): Promise<string | null> {
  for (const suffix of containerfile === undefined ? [] : BESIDE) {
    const file = `${containerfile}${suffix}`;
    if (await exists(file)) return file;
  }
  for (const name of IN_CONTEXT) {
    const file = join(directory, name);
    if (!(await exists(file))) continue;
    // podman resolves this link as if the context were the root of the file system.
    await requireInside(directory, file);
    return file;
  }
  return null;
}

async function requireInside(directory: string, file: string): Promise<void> {
  const found = relative(await realpath(directory), await realpath(file));
  if (found.split(sep)[0] !== '..') return;
  throw invalid(`the ignore file ${file} is a link that leaves the context`, 'put the file itself there');
}

function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return false;
      throw invalid(
        `the ignore file ${file} cannot be read: ${error.message}`,
        'make it a readable file, or remove it',
      );
    },
  );
}

function readPatterns(content: Buffer, file: string): IgnorePattern[] {
  return textOfBytes(content)
    .split('\n')
    .flatMap((line, index) => {
      try {
        return readIgnorePattern(line) ?? [];
      } catch (error) {
        if (!(error instanceof IgnorePatternError)) throw error;
        throw invalid(`${file}:${index + 1}: ${JSON.stringify(line)}: ${error.message}`, 'correct the rule');
      }
    });
}

/** Rules from patterns. Pure. */
function rulesOf(file: string | null, content: Buffer | null, patterns: readonly IgnorePattern[]): IgnoreRules {
  const takingBack = patterns.filter(({ takesBack }) => takesBack);
  return {
    file,
    content,
    ignores: (path) => patterns.findLast((pattern) => pattern.matches(path))?.takesBack === false,
    reachesBelow: (directory) => takingBack.some((pattern) => pattern.reachesBelow(directory)),
    isWalked: (directory) => takingBack.some(({ text }) => `${text}/`.startsWith(directory)),
  };
}

function invalid(message: string, remedy: string): FlightlineError {
  return new FlightlineError('context-invalid', message, { remedy });
}
