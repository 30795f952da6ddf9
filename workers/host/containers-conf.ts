/**
 * Checks whether podman's own defaults work on this machine, and gives the lines of containers.conf that fix it. Used
 * by the embedded stack (a private file) and by doctor (a drop-in file).
 */
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify, type TomlTable } from 'smol-toml';

/** The facts that decide. They are read without starting anything. */
export interface MachineFacts {
  /** How control groups are mounted. `hybrid` is version 1 with version 2 below /sys/fs/cgroup/unified. */
  cgroups: 'v2' | 'hybrid' | 'v1';
  /** The capability CAP_SYS_RESOURCE: without it no process can raise its own hard limits. */
  mayRaiseLimits: boolean;
  /** Hard limits of open files and of processes. */
  hardLimits: { nofile: number; nproc: number };
  /** Container runtimes that are installed. */
  runtimes: readonly string[];
  /** The merged settings of the machine's containers.conf files. */
  configured: TomlTable;
}

/** Lines to add, and why; empty when podman's defaults work. */
export interface ContainersConfPlan {
  settings: TomlTable;
  reasons: string[];
  /** Problems that no setting can fix. */
  problems: string[];
}

/** Limits that podman gives to containers of root (containers/common, `define.RLimitDefaultValue`). */
const PODMAN_NOFILE = 1_048_576;
const PODMAN_NPROC = 4_194_304;
const FIRST_RUNTIME = 'crun';

/** Decides from the facts. Existing settings are kept. */
export function planContainersConf(facts: MachineFacts): ContainersConfPlan {
  const settings: TomlTable = {};
  const reasons: string[] = [];
  const problems: string[] = [];
  const configuredRuntime = text(table(facts.configured, 'engine')['runtime']);
  const runtime = configuredRuntime ?? (facts.runtimes.includes(FIRST_RUNTIME) ? FIRST_RUNTIME : facts.runtimes[0]);
  if (facts.cgroups === 'hybrid' && runtime?.endsWith('crun')) {
    if (facts.runtimes.includes('runc')) {
      settings['engine'] = { runtime: 'runc' };
      reasons.push('control groups are mounted in hybrid mode, which crun refuses');
    } else {
      problems.push('control groups are mounted in hybrid mode, which crun refuses, and runc is not installed');
    }
  }
  const { nofile, nproc } = facts.hardLimits;
  const limited = !facts.mayRaiseLimits && (nofile < PODMAN_NOFILE || nproc < PODMAN_NPROC);
  if (limited && !hasUlimits(facts.configured)) {
    const pair = (name: string, limit: number, most: number) =>
      `${name}=${Math.min(limit, most)}:${Math.min(limit, most)}`;
    settings['containers'] = {
      default_ulimits: [pair('nofile', nofile, PODMAN_NOFILE), pair('nproc', nproc, PODMAN_NPROC)],
    };
    reasons.push("without CAP_SYS_RESOURCE podman's default limits of open files and processes cannot be set");
  }
  return { settings, reasons, problems };
}

/** The text of a containers.conf file: settings below a comment. */
export function containersConfText(settings: TomlTable, comment: string): string {
  return `# ${comment}\n\n${stringify(settings)}`;
}

/** Tables are merged, other values replaced, as podman does with its files. */
export function mergeSettings(base: TomlTable, added: TomlTable): TomlTable {
  const merged: TomlTable = { ...base };
  for (const [name, value] of Object.entries(added)) {
    const before = merged[name];
    merged[name] = isTable(before) && isTable(value) ? mergeSettings(before, value) : value;
  }
  return merged;
}

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

/** Names of the capability's bit: linux/capability.h. */
const CAP_SYS_RESOURCE = 24n;

/** `true` when the text of /proc/self/status has CAP_SYS_RESOURCE among the effective capabilities. */
export function hasSysResource(status: string): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

/** The hard limits in the text of /proc/self/limits; `Infinity` for unlimited. */
export function hardLimits(limits: string): { nofile: number; nproc: number } {
  const hard = (name: string) => {
    const value = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(limits)?.[1];
    return value === undefined || value === 'unlimited' ? Infinity : Number(value);
  };
  return { nofile: hard('Max open files'), nproc: hard('Max processes') };
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

/** The files that podman reads as root, in its order (containers.conf(5)): CONTAINERS_CONF replaces all of them. */
export function containersConfFiles(environment: NodeJS.ProcessEnv = process.env): string[] {
  const override = environment['CONTAINERS_CONF_OVERRIDE'];
  const home = join(environment['XDG_CONFIG_HOME'] ?? join(environment['HOME'] ?? homedir(), '.config'), 'containers');
  const named = environment['CONTAINERS_CONF']
    ? [environment['CONTAINERS_CONF']]
    : [
        '/usr/share/containers/containers.conf',
        ...dropIns('/usr/share/containers/containers.conf.d'),
        '/etc/containers/containers.conf',
        ...dropIns('/etc/containers/containers.conf.d'),
        join(home, 'containers.conf'),
        ...dropIns(join(home, 'containers.conf.d')),
      ];
  return [...named, ...(override ? [override] : [])];
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

function dropIns(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function hasUlimits(configured: TomlTable): boolean {
  const limits = table(configured, 'containers')['default_ulimits'];
  return Array.isArray(limits) && limits.length > 0;
}

function table(settings: TomlTable, name: string): TomlTable {
  const value = settings[name];
  return isTable(value) ? value : {};
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
