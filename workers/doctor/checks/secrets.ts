/**
 * Checks what builds use by name: the secrets of the worker configuration, and the login for enrollment certificates.
 */
import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, runCommand } from '../../../activities/tools/process/command.ts';
import { temporaryDirectory } from '../../../activities/tools/temporary-directory.ts';
import { classifyFlightctl, flightctlMessage } from '../../../activities/tools/flightctl/classify.ts';
import { enrollmentConfigArguments } from '../../../activities/tools/flightctl/flightctl.ts';
import { FAILURES } from '../../../model/failure/failures.ts';
import type { FlightctlConfiguration, NamedSecret } from '../../../model/spec/worker-configuration.ts';
import { failed, LOOK_WITHIN, ok, warning, type Check, type CheckResult } from '../check.ts';
import { worst } from './registries.ts';

const secrets: Check = {
  name: 'secrets',
  roles: ['build'],
  async run({ configuration }) {
    const named = Object.entries(configuration.secrets);
    if (named.length === 0) return ok('the worker configuration has no secrets');
    return worst(await Promise.all(named.map(([name, secret]) => look(name, secret))));
  },
};

async function look(name: string, { file, repositories }: NamedSecret): Promise<CheckResult> {
  return (
    (await fileProblem(`secret ${name}`, file, 'put the file there, readable for the build worker')) ??
    ok(`secret ${name} is there, for ${repositories.join(', ')}`)
  );
}

async function fileProblem(what: string, file: string, remedy: string): Promise<CheckResult | null> {
  try {
    await access(file, constants.R_OK);
  } catch (error) {
    return failed(`${what}: ${(error as Error).message}`, remedy);
  }
  if (((await stat(file)).mode & 0o077) === 0) return null;
  return warning(`${what}: ${file} can be read by others than its owner`, `chmod 600 ${file}`);
}

const flightctl: Check = {
  name: 'flightctl',
  roles: ['build'],
  async run({ configuration }) {
    const client = configuration.flightctl;
    if (!client)
      return ok('the worker configuration has no login to Flight Control: no enrollment certificates are requested');
    const logIn = `log in: flightctl login --config-dir ${client.configDirectory} https://api.…`;
    const problem = await fileProblem('flightctl', join(client.configDirectory, 'client.yaml'), logIn);
    if (problem) return problem;
    const { path: home, remove } = temporaryDirectory('flightline-doctor-');
    try {
      // The client needs HOME.
      const { stdout } = await runCommand(client.program, ['version'], {
        timeout: LOOK_WITHIN,
        environment: { HOME: home },
      });
      const [version = ''] = stdout.split('\n');
      const refused = await askedWith(client, home, logIn);
      return (
        refused ?? ok(`${version}, logged in with ${client.configDirectory}, for ${client.repositories.join(', ')}`)
      );
    } catch (error) {
      const remedy = 'install flightctl-cli, or name the program as flightctl.program';
      if (!(error instanceof CommandError)) throw error;
      return failed(error.notFound ? `${client.program} is not installed` : error.message, remedy);
    } finally {
      await remove();
    }
  },
};

/** Asks for what every request needs, which issues nothing: a login may have expired. Null when it is granted. */
async function askedWith(client: FlightctlConfiguration, home: string, logIn: string): Promise<CheckResult | null> {
  try {
    const args = enrollmentConfigArguments(client.configDirectory);
    await runCommand(client.program, args, { timeout: LOOK_WITHIN, environment: { HOME: home } });
    return null;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = error.timedOut ? 'it did not answer in time' : flightctlMessage(error.stderr);
    const { kind, remedy } = error.timedOut ? { kind: 'enrollment-service' as const } : classifyFlightctl(error.stderr);
    const usual = kind === 'enrollment-login' ? logIn : FAILURES[kind].action;
    return failed(`flightctl with ${client.configDirectory}: ${said}`, remedy ?? usual);
  }
}

export const secretChecks: readonly Check[] = [secrets, flightctl];
