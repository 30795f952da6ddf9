/** Reads the user's `flightline.yaml`, and reports every problem with line and column. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { contextDirectories } from '../../model/spec/build-options.ts';
import { FlightlineSpec } from '../../model/spec/flightline-spec.ts';
import { formatProblems, parseYamlFile } from '../../model/spec/spec-file.ts';
import { readYaml, type Problem } from '../../model/spec/yaml-text.ts';
import { UserError } from '../terminal/errors.ts';

/** The name looked for when none is given. */
const DEFAULT_SPEC = 'flightline.yaml';

/** A spec, and where its files are. */
export interface LoadedSpec {
  /** As the user named it, for messages. */
  file: string;
  text: string;
  spec: FlightlineSpec;
  /** Absolute paths; null for a git context, whose files a control worker looks for. */
  local: {
    directory: string;
    containerfile: string;
    ignoreFile?: string;
    builderConfig: string | null;
    /** By name. */
    buildContexts: Readonly<Record<string, string>>;
  } | null;
}

/**
 * Reads and checks a spec, and that the files it names are there.
 *
 * @throws UserError `spec-not-found` or `invalid-spec` (exit code 2).
 */
export async function loadSpec(named: string): Promise<LoadedSpec> {
  const { file, text, spec } = await readSpec(named);
  const { context } = spec.image;
  if (typeof context !== 'string') return { file, text, spec, local: null };
  const base = dirname(resolve(file));
  const local = {
    directory: resolve(base, context),
    containerfile: resolve(base, spec.image.containerfile),
    ...(spec.image.ignoreFile !== undefined && { ignoreFile: resolve(base, spec.image.ignoreFile) }),
    builderConfig: spec.builder.config === undefined ? null : resolve(base, spec.builder.config),
    buildContexts: Object.fromEntries(
      Object.entries(contextDirectories(spec.image)).map(([name, path]) => [name, resolve(base, path)]),
    ),
  };
  const contexts = Object.entries(local.buildContexts).map(([name, directory]) =>
    problemWith(directory, 'directory', `image.buildContexts.${name}`),
  );
  const missing = [
    ...(await problemWith(local.directory, 'directory', 'image.context')),
    ...(await problemWith(local.containerfile, 'file', 'image.containerfile')),
    ...(local.ignoreFile === undefined ? [] : await problemWith(local.ignoreFile, 'file', 'image.ignoreFile')),
    ...(local.builderConfig === null ? [] : await problemWith(local.builderConfig, 'file', 'builder.config')),
    ...(await Promise.all(contexts)).flat(),
  ];
  if (missing.length > 0) throw invalidSpec(file, locate(text, missing));
  return { file, text, spec, local };
}

/** Reads and checks a spec alone; of a directory the one in it. @throws UserError as {@link loadSpec} */
export async function readSpec(named: string): Promise<Pick<LoadedSpec, 'file' | 'text' | 'spec'>> {
  const isDirectory = await stat(named)
    .then((found) => found.isDirectory())
    .catch(() => false);
  const file = isDirectory ? join(named, DEFAULT_SPEC) : named;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(
      'spec-not-found',
      code === 'ENOENT' ? `there is no ${file}` : `${file} cannot be read: ${message}`,
      `name the spec (flightline run path/to/${DEFAULT_SPEC}), or start a project with \`flightline init\``,
    );
  }
  const parsed = parseYamlFile(text, FlightlineSpec);
  if (!parsed.ok) throw invalidSpec(file, parsed.problems);
  return { file, text, spec: parsed.value };
}

async function problemWith(path: string, kind: 'file' | 'directory', key: string) {
  const found = await stat(path).catch(() => undefined);
  if (!found) return [{ path: key, message: `there is no ${kind} ${path}` }];
  const fits = kind === 'file' ? found.isFile() : found.isDirectory();
  return fits ? [] : [{ path: key, message: `${path} is not a ${kind}` }];
}

/** The error for a spec's problems. */
export function invalidSpec(file: string, problems: readonly Problem[]): UserError {
  return new UserError('invalid-spec', formatProblems(file, problems), `correct ${file} and run the command again`);
}

/**
 * Finds the line and column of paths such as `disks[0].type`; of the nearest key above where that one is not written.
 */
export function locate(text: string, problems: readonly { path: string; message: string }[]): Problem[] {
  const read = readYaml(text);
  return problems.map((problem) => {
    const keys = [...problem.path.matchAll(/[^.[\]]+/g)].map(([key]) => (/^\d+$/.test(key) ? Number(key) : key));
    return { ...problem, ...(read.ok ? read.yaml.place(keys) : { line: 1, column: 1 }) };
  });
}
