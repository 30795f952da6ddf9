/** The named secrets of the operator's configuration, and the repositories whose images may use each. */
import { readFile } from 'node:fs/promises';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isAllowed, type NamedSecret, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { registerSecret } from '../tools/process/redact.ts';
import { secretValues } from './secret-values.ts';

/** A secret whose file exists. */
interface OpenedSecret {
  name: string;
  /** Absolute path. */
  file: string;
  text: string;
}

/**
 * Opens a secret by name for images of these repositories. From now on its values are redacted from all output.
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
function allowedSecret(
  configuration: Pick<WorkerConfiguration, 'secrets'>,
  name: string,
  repositories: readonly string[],
): NamedSecret {
  const secret = Object.hasOwn(configuration.secrets, name) ? configuration.secrets[name] : undefined;
  // The author of a spec must not learn other names.
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
