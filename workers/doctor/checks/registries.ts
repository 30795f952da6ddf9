/**
 * Checks of registries: which signature settings are in effect, whether images may be read at all, and whether the
 * logins work.
 */
import { existsSync } from 'node:fs';
import { access, constants, copyFile, readdir, readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../../activities/tools/process/command.ts';
import { temporaryDirectory } from '../../../activities/tools/temporary-directory.ts';
import { isLoopbackRegistry, registryOf } from '../../../model/oci/reference.ts';
import type { RegistryConfiguration } from '../../../model/spec/worker-configuration.ts';
import { failed, LOOK_WITHIN, ok, warning, type Check, type CheckResult } from '../check.ts';
import { SYSTEM_DIRECTORY, registriesDirectoryResult, signatureSettings, DROP_IN } from './signature-settings.ts';

const registriesDirectory: Check = {
  name: 'registries.d',
  roles: ['build', 'sign'],
  async run({ configuration, environment }) {
    const own = join(environment['HOME'] ?? homedir(), '.config/containers/registries.d');
    const masking = existsSync(own) ? own : undefined;
    const scopes = new Set([
      ...configuration.registries.map(({ location }) => location),
      ...Object.values(configuration.keys).flatMap((key) => key.repositories),
    ]);
    return registriesDirectoryResult({
      masking,
      settings: signatureSettings(await readTexts(masking ?? SYSTEM_DIRECTORY)),
      scopes: [...scopes].filter((scope) => !isLoopbackRegistry(registryOf(`${scope}/`))),
      dropInExists: existsSync(DROP_IN),
    });
  },
};

const policy: Check = {
  name: 'policy.json',
  roles: ['build', 'sign'],
  async run({ environment }) {
    const home = environment['HOME'] ?? homedir();
    const files = [join(home, '.config/containers/policy.json'), '/etc/containers/policy.json'];
    const found = files.find((file) => existsSync(file));
    return found
      ? ok(`${found} is in effect`)
      : failed(
          'there is no policy.json, and without it podman and skopeo refuse every image',
          'install containers-common (Fedora, CentOS, RHEL) or golang-github-containers-common (Debian, Ubuntu)',
        );
  },
};

const logins: Check = {
  name: 'registry login',
  roles: ['build', 'sign'],
  async run({ configuration }) {
    if (configuration.registries.length === 0) return ok('the worker configuration has no registries');
    const results = await Promise.all(configuration.registries.map(tryLogin));
    return worst(results);
  },
};

/** Merges several results: the worst status, with every problem in its detail. */
export function worst(results: readonly CheckResult[]): CheckResult {
  const bad = results.filter((result) => result.status !== 'ok');
  if (bad.length === 0) return ok(results.map((result) => result.detail).join('; '));
  const detail = bad.map((result) => result.detail).join('; ');
  const remedy = [...new Set(bad.map((result) => result.remedy ?? ''))].join('; ');
  return bad.some((result) => result.status === 'failed') ? failed(detail, remedy) : warning(detail, remedy);
}

async function tryLogin(registry: RegistryConfiguration): Promise<CheckResult> {
  const { location, authfile } = registry;
  if (!authfile) return ok(`${location}: no login is configured`);
  const problem = await authfileProblem(authfile);
  if (problem) return problem;
  const insecure = registry.insecure || isLoopbackRegistry(registryOf(`${location}/`));
  const { path: directory, remove } = temporaryDirectory('flightline-doctor-');
  try {
    // skopeo tries the login that it finds, and writes the file: use a copy, so that the operator's file does not
    // change.
    const copy = join(directory, 'auth.json');
    await copyFile(authfile, copy);
    const args = ['login', '--authfile', copy, ...(insecure ? ['--tls-verify=false'] : []), location];
    await runCommand('skopeo', args, { timeout: LOOK_WITHIN, input: '' });
    return ok(`${location}: the login works`);
  } catch (error) {
    const text = (error instanceof Error ? error.message : String(error)).split('\n').at(-1)!;
    return failed(
      `${location}: the login does not work: ${text}`,
      `renew it: skopeo login --authfile ${authfile} ${location}`,
    );
  } finally {
    await remove();
  }
}

async function authfileProblem(authfile: string): Promise<CheckResult | undefined> {
  try {
    await access(authfile, constants.R_OK);
    const { mode } = await stat(authfile);
    if ((mode & 0o077) !== 0) {
      return warning(`${authfile} can be read by others than its owner`, `chmod 600 ${authfile}`);
    }
    return undefined;
  } catch (error) {
    return failed((error as Error).message, `put the login there: skopeo login --authfile ${authfile} REGISTRY`);
  }
}

async function readTexts(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => [] as string[]);
  return Promise.all(
    names
      .filter((name) => name.endsWith('.yaml'))
      .sort()
      .map((name) => readFile(join(directory, name), 'utf8').catch(() => '')),
  );
}

export const registryChecks: readonly Check[] = [registriesDirectory, policy, logins];
