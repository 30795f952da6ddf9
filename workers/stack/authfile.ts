/** Finds a person's registry logins of podman and skopeo, for a stack that uses an existing registry. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The first login file that exists, in the order of containers-auth.json(5); `undefined` without one. */
export function defaultAuthfile(
  environment: NodeJS.ProcessEnv = process.env,
  exists: (file: string) => boolean = existsSync,
): string | undefined {
  const named = environment['REGISTRY_AUTH_FILE'];
  const runtime = environment['XDG_RUNTIME_DIR'];
  const home = environment['HOME'] ?? homedir();
  return [
    ...(named ? [named] : []),
    ...(runtime ? [join(runtime, 'containers/auth.json')] : [`/run/containers/${process.getuid?.() ?? 0}/auth.json`]),
    join(environment['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers/auth.json'),
    join(home, '.docker/config.json'),
  ].find((file) => exists(file));
}
