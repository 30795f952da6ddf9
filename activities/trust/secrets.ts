/** The named secrets of the operator's configuration, and the repositories whose images may use each. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isAllowed, type NamedSecret, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { registerSecret } from '../tools/process/redact.ts';

/** A secret whose file exists. */
interface OpenedSecret {
  name: string;
  /** Absolute path. */
  file: string;
  text: string;
}

/**
 * Opens a secret by name, for images that go to these repositories. From now on its values are redacted from all
 * output.
 *
 * @throws FlightlineError `secret-missing` when there is no such secret or its file cannot be read,
 * `secret-not-allowed` when it does not list one of the repositories.
 */
export async function openSecret(
  configuration: Pick<WorkerConfiguration, 'secrets'>,
  name: string,
  repositories: readonly string[],
): Promise<OpenedSecret> {
  const { file } = allowedSecret(configuration, name, repositories);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new FlightlineError('secret-missing', `the secret "${name}" cannot be read: ${(error as Error).message}`);
  }
  for (const value of secretValues(text)) registerSecret(value);
  return { name, file, text };
}

/**
 * The configured secret of that name, if images of all the repositories may use it. Throws like {@link openSecret}.
 * Pure.
 */
export function allowedSecret(
  configuration: Pick<WorkerConfiguration, 'secrets'>,
  name: string,
  repositories: readonly string[],
): NamedSecret {
  const secret = Object.hasOwn(configuration.secrets, name) ? configuration.secrets[name] : undefined;
  // The author of a spec must not learn the other names.
  if (!secret) throw new FlightlineError('secret-missing', `the build host has no secret "${name}"`);
  requireAllowed(`the secret "${name}"`, secret.repositories, repositories);
  return secret;
}

/** @throws FlightlineError `secret-not-allowed` unless the scopes cover all the repositories. Pure. */
export function requireAllowed(what: string, scopes: readonly string[], repositories: readonly string[]): void {
  const refused = repositories.filter((repository) => !isAllowed(scopes, repository));
  if (refused.length === 0) return;
  throw new FlightlineError('secret-not-allowed', `${what} is not for images in ${refused.join(', ')}`);
}

/** Shorter parts of a secret are not redacted, since they may be ordinary words (characters). */
const SHORTEST = 8;

/**
 * What must be redacted of a secret's file: in JSON its strings, and the passwords of registry log-ins in plain text;
 * otherwise its lines. Not the names of members, nor short parts, which may be ordinary words. Pure.
 */
export function secretValues(text: string): string[] {
  const json = parseJson(text);
  const whole = text.trim();
  if (json === null && !whole.includes('\n')) return [whole];
  const values = json === null ? text.split('\n') : textsOf(json);
  const passwords = Object.values(LogIns.safeParse(json).data?.auths ?? {}).map(({ auth = '' }) =>
    Buffer.from(auth, 'base64')
      .toString()
      .replace(/^[^:]*:/, ''),
  );
  return [...new Set([...values, ...passwords].map((value) => value.trim()))].filter(
    (value) => value.length >= SHORTEST,
  );
}

/** The parts of containers-auth.json(5) that matter here. */
const LogIns = z.looseObject({ auths: z.record(z.string(), z.looseObject({ auth: z.string().optional() })) });

/** `true` for a file of registry log-ins (containers-auth.json(5)). Pure. */
export function holdsLogIns(text: string): boolean {
  return LogIns.safeParse(parseJson(text)).success;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(textsOf);
}
