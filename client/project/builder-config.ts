/** Checks the file that `builder.config` names, before anything is sent. */
import { readFile } from 'node:fs/promises';
import { BUILDER_CONFIG_FORMATS, checkBuilderConfig } from '../../model/builder-config/builder-config.ts';
import { problemLines } from '../../model/spec/spec-file.ts';
import { UserError } from '../terminal/errors.ts';
import { invalidSpec, locate, type LoadedSpec } from './spec-loading.ts';

/**
 * Returns warnings, a line each, `FILE:3:1: …`; none for a git context, whose files a control worker checks.
 *
 * @throws UserError `invalid-spec` for what the builder would refuse.
 */
export async function checkConfigOf({ file, text, spec, local }: LoadedSpec): Promise<string[]> {
  const path = local?.builderConfig ?? null;
  if (path === null) return [];
  const format = BUILDER_CONFIG_FORMATS.find((name) => path.endsWith(`.${name}`));
  if (!format) {
    const message = `${path} is neither a .toml nor a .json file`;
    throw invalidSpec(file, locate(text, [{ path: 'builder.config', message }]));
  }
  const config = await readFile(path, 'utf8').catch((error: Error) => {
    throw new UserError('invalid-spec', `${path} cannot be read: ${error.message}`, 'make it readable');
  });
  const use = { types: spec.disks.map(({ type }) => type), rootfs: spec.builder.rootfs ?? null };
  const { problems, warnings } = checkBuilderConfig(config, format, use);
  if (problems.length > 0) throw invalidSpec(path, problems);
  return problemLines(path, warnings);
}
