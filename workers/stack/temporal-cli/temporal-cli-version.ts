/** The version of the Temporal CLI, and where it is kept. */
import os from 'node:os';
import path from 'node:path';

/**
 * The version of the Temporal CLI that is downloaded or built when none is found. Later ones need a module that not
 * every Go proxy serves; this one brings Server 1.29.1 and its Web UI.
 */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** Where a downloaded or built CLI of the pinned version is kept. */
export function temporalCliCachePath(environment: NodeJS.ProcessEnv = process.env): string {
  const configured = environment['XDG_CACHE_HOME'];
  // The XDG base directory specification: a relative path is to be ignored.
  const base =
    configured && path.isAbsolute(configured) ? configured : path.join(environment['HOME'] ?? os.homedir(), '.cache');
  return path.join(base, 'flightline', `temporal-${TEMPORAL_CLI_VERSION}`, 'temporal');
}

/** The version in what `temporal --version` prints: `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
export function parseTemporalVersion(output: string): string | undefined {
  return /^temporal version (\S+)/m.exec(output)?.[1];
}
