/** Finds the log-in for a repository in an authfile, in the order containers/image uses (containers-auth.json(5)). */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import { registryOf } from '../../../../model/oci/reference.ts';
import { runCommand } from '../../process/command.ts';
import { registerSecret } from '../../process/redact.ts';
import type { RegistryAccess } from '../access.ts';
import { Authfile, storedLogin, userAuthfiles, type Login } from './authfile.ts';

/** Milliseconds that a credential helper may take. */
const HELPER_TIMEOUT = 20_000;

/**
 * The log-in for a repository; `undefined` when the authfile has none or does not exist. With no authfile in the
 * access, the user's own are looked through. A damaged file is skipped there, since it is not flightline's.
 */
export async function loginFor(access: RegistryAccess, repository: string): Promise<Login | undefined> {
  for (const file of access.authfile === undefined ? userAuthfiles(process.env) : [access.authfile]) {
    const authfile = await readAuthfile(file);
    if (!authfile) continue;
    const login = storedLogin(authfile, repository) ?? (await helperLogin(authfile, repository));
    if (login) {
      registerSecret(login.kind === 'password' ? login.password : login.token);
      return login;
    }
  }
  return undefined;
}

const HelperAnswer = z.object({ Username: z.string(), Secret: z.string() });

/** Asks a `docker-credential-…` program, as docker and podman do. */
async function helperLogin(authfile: Authfile, repository: string): Promise<Login | undefined> {
  const registry = registryOf(repository);
  const helper = authfile.credHelpers[registry] ?? authfile.credsStore;
  if (!helper || !/^[A-Za-z0-9._-]+$/.test(helper)) return undefined;
  const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  try {
    const { stdout } = await runCommand(`docker-credential-${helper}`, ['get'], {
      input: server,
      timeout: HELPER_TIMEOUT,
    });
    const answer = HelperAnswer.parse(JSON.parse(stdout));
    return answer.Username === '<token>'
      ? { kind: 'token', token: answer.Secret }
      : { kind: 'password', username: answer.Username, password: answer.Secret };
  } catch {
    // "credentials not found" is an exit code like any other: the registry is then asked without a log-in.
    return undefined;
  }
}

async function readAuthfile(file: string): Promise<Authfile | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FlightlineError('registry-login', `the authfile ${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    return Authfile.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
