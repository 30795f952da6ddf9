/** What a machine tells of its control groups, limits and containers.conf. */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { parse, type TomlTable } from 'smol-toml';
import { hardLimits, hasSysResource } from '../../activities/tools/process/proc.ts';
import { mergeSettings, type MachineFacts, containersConfFiles } from './containers-conf.ts';

/** Looks at this machine. */
export function machineFacts(environment: NodeJS.ProcessEnv = process.env): MachineFacts {
  return {
    cgroups: cgroupMode(),
    mayRaiseLimits: hasSysResource(readText('/proc/self/status')),
    hardLimits: hardLimits(readText('/proc/self/limits')),
    runtimes: ['crun', 'runc'].filter((name) => isInstalled(name, environment)),
    configured: configuredSettings(environment),
  };
}

/** Magic number of a cgroup2 file system: linux/magic.h. */
const CGROUP2 = 0x63677270;

function cgroupMode(): MachineFacts['cgroups'] {
  if (fileSystemType('/sys/fs/cgroup') === CGROUP2) return 'v2';
  return fileSystemType('/sys/fs/cgroup/unified') === CGROUP2 ? 'hybrid' : 'v1';
}

function fileSystemType(path: string): number | undefined {
  try {
    return statfsSync(path).type;
  } catch {
    return undefined;
  }
}

function isInstalled(name: string, environment: NodeJS.ProcessEnv): boolean {
  // podman looks in these directories besides PATH (containers.conf(5), engine.runtimes).
  const directories = [...(environment['PATH'] ?? '').split(':'), '/usr/bin', '/usr/sbin', '/usr/local/bin', '/sbin'];
  return directories.some((directory) => directory.startsWith('/') && existsSync(join(directory, name)));
}

function configuredSettings(environment: NodeJS.ProcessEnv): TomlTable {
  return containersConfFiles(environment).reduce<TomlTable>((merged, file) => {
    try {
      return mergeSettings(merged, parse(readText(file)));
    } catch {
      // podman itself will report what is wrong in it.
      return merged;
    }
  }, {});
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
