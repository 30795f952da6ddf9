/** Reads the input of the lint rules: the spec, its Containerfile, and the files in its context. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readIgnoreRules } from '../../activities/context/files/ignore-rules.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { parseContainerfile } from '../lint/containerfile.ts';
import { lint, type LintInput, type LintResult } from '../lint/lint.ts';
import type { SpecOnly } from '../lint/rule.ts';
import type { Output } from '../terminal/output.ts';
import { locate, type LoadedSpec } from './spec-loading.ts';
import { renderAdvice } from '../view/lint.ts';
import { plain } from '../view/style.ts';

/**
 * Lints a loaded spec and, unless it is in a git repository, its Containerfile.
 *
 * @throws FlightlineError `containerfile-invalid` when the Containerfile cannot be read at all.
 */
export async function lintLoaded(loaded: LoadedSpec): Promise<LintResult> {
  const specOnly: SpecOnly = {
    spec: loaded.spec,
    lineOf: (path) => locate(loaded.text, [{ path, message: '' }])[0]!.line,
  };
  const specFile = { name: loaded.file, lines: loaded.text.split(/\r?\n/) };
  return lint({ specFile, specOnly, project: loaded.local && (await projectOf(loaded, loaded.local, specOnly)) });
}

async function projectOf(
  { file, spec }: LoadedSpec,
  local: NonNullable<LoadedSpec['local']>,
  specOnly: SpecOnly,
): Promise<LintInput['project']> {
  const text = await readFile(local.containerfile, 'utf8');
  const architecture = spec.image.platforms[0]!.split('/')[1]!;
  const containerfile = parseContainerfile(text, spec.image.buildArgs, architecture);
  return {
    file: { name: join(dirname(file), spec.image.containerfile), lines: containerfile.lines },
    // The whole context is walked, so only where a rule may ask.
    project: { ...specOnly, containerfile, leftOut: text.includes('--mount') ? await leftOut(local) : [] },
    instructionLines: containerfile.stages.flatMap(({ line, steps }) => [line, ...steps.map((step) => step.line)]),
  };
}

/** The uppermost paths of a context that its ignore file leaves out, relative to it. */
async function leftOut(sources: NonNullable<LoadedSpec['local']>): Promise<string[]> {
  const rules = await readIgnoreRules(sources);
  if (rules.content === null) return [];
  const below = async (directory: string): Promise<string[]> => {
    // The release itself fails with what cannot be read.
    const found = await readdir(join(sources.directory, directory), { withFileTypes: true }).catch(() => []);
    const paths = found.map(async (entry) => {
      const path = join(directory, entry.name);
      const isRead = entry.isDirectory() && (!rules.ignores(path) || rules.reachesBelow(path));
      return isRead ? below(path) : rules.ignores(path) ? [path] : [];
    });
    return (await Promise.all(paths)).flat();
  };
  return (await below('')).sort();
}

/**
 * The advice before a run: findings as warnings, or with `strict` as an error.
 *
 * @throws UserError `lint` (exit code 1)
 */
export async function advise(loaded: LoadedSpec, strict: boolean, output: Output): Promise<void> {
  await refuseWithoutFrom(loaded);
  const findings = await lintLoaded(loaded).then(
    (result) => result.findings,
    (error: unknown) => {
      // podman may read what the linter cannot: without `strict` it is left to the release.
      if (!strict && error instanceof FlightlineError) return [];
      throw error;
    },
  );
  if (findings.length === 0) return;
  const advice = renderAdvice(findings);
  const explain = `\`flightline lint ${loaded.file}\` gives the reasons, and says how to silence each`;
  if (strict) throw new UserError('lint', advice.join('\n'), explain, EXIT.failed);
  for (const line of advice) output.note(`warning: ${line}`);
  output.note(`  ${explain}`);
}

/**
 * Nothing is sent of a Containerfile in which podman cannot find a stage, whatever else it reads otherwise than the
 * linter: no line begins with FROM, however lines are continued. Files named `*.in` go through cpp first.
 *
 * @throws UserError `containerfile-invalid` (exit code 2)
 */
async function refuseWithoutFrom({ local }: LoadedSpec): Promise<void> {
  if (local === null || local.containerfile.endsWith('.in')) return;
  const text = await readFile(local.containerfile, 'utf8');
  const joined = text.replaceAll(/^\s*#.*$/gm, '').replaceAll(/[\\`]\s*\n/g, '');
  if (/^\s*FROM\b/im.test(joined)) return;
  const lines = text.split(/\r?\n/);
  const first = lines.findIndex((line) => /^\s*[^#\s]/.test(line));
  const place = first < 0 ? '' : `:${first + 1}`;
  throw new UserError(
    'containerfile-invalid',
    `${local.containerfile}${place}: no FROM statement found` +
      (first < 0 ? '' : `; the first instruction is "${plain(lines[first]!.trim()).slice(0, 60)}"`),
    'begin it with FROM and the image that yours is built on; nothing was sent',
  );
}
