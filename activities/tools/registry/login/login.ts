/** Finds the login for a repository in an authfile, in the order containers/image uses (containers-auth.json(5)). */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FlightlineError } from '../../../../model/failure/failure.ts';
import { registryOf } from '../../../../model/oci/reference.ts';
import { runCommand } from '../../process/command.ts';
import { registerSecret } from '../../process/redact.ts';
import { Authfile, entryOf, storedLogin, storedLogins, userAuthfiles, type Login } from './authfile.ts';

/** Milliseconds that a credential helper may take. */
const HELPER_TIMEOUT = 20_000;

/**
 * The login for a repository; `undefined` when the authfile has none or does not exist. Without an authfile it searches
 * the user's own, and skips damaged ones, which are not flightline's.
 */
export async function loginFor(
  access: { readonly authfile: string | undefined },
  repository: string,
): Promise<Login | undefined> {
  for (const file of access.authfile === undefined ? userAuthfiles(process.env) : [access.authfile]) {
    const authfile = await readAuthfile(file);
    if (!authfile) continue;
    const login = storedLogin(authfile, repository) ?? (await helperLogin(authfile, repository));
    if (login) {
      hide(login);
      return login;
    }
  }
  return undefined;
}

/**
 * The logins for a repository in an authfile of podman or docker, by the scope that programs look for. Runs credential
 * helpers, so that their answers are redacted.
 *
 * @throws FlightlineError `registry-login`, without quoting the file, when it cannot be used
 */
export async function loginsIn(file: string, repository: string): Promise<Record<string, unknown>> {
  const authfile = parseAuthfile(await readText(file), file);
  // Docker may pad a login before encoding it, so that we would encode it differently.
  for (const { auth } of Object.values(authfile.auths)) if (auth) registerSecret(auth);
  const stored = storedLogins(authfile, repository);
  const asked = stored.length > 0 ? undefined : await helperLogin(authfile, repository);
  const logins = asked ? [{ scope: registryOf(repository), login: asked }] : stored;
  for (const { login } of logins) hide(login);
  return Object.fromEntries(logins.map(({ scope, login }) => [scope, entryOf(login)]));
}

function hide(login: Login): void {
  registerSecret(login.kind === 'password' ? login.password : login.token);
  const { auth } = entryOf(login);
  if (auth !== undefined) registerSecret(auth);
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
    // "credentials not found" is a failure too. Go on without a login.
    return undefined;
  }
}

async function readAuthfile(file: string): Promise<Authfile | undefined> {
  try {
    return Authfile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'ENOENT') return undefined;
    throw unreadable(file, error);
  }
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error);
  });
}

function unreadable(file: string, error: unknown): FlightlineError {
  return new FlightlineError('registry-login', `the authfile ${file} cannot be read: ${(error as Error).message}`);
}

function parseAuthfile(text: string, file: string): Authfile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message would quote the file, which holds secrets.
    throw new FlightlineError('registry-login', `the authfile ${file} is not JSON`);
  }
  const parsed = Authfile.safeParse(json);
  if (!parsed.success) throw new FlightlineError('registry-login', `the authfile ${file} is not a file of logins`);
  return parsed.data;
}
