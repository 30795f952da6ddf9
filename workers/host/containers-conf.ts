/**
 * Checks whether podman's own defaults work on this machine, and gives the lines of containers.conf that fix it. Used
 * by the embedded stack (a private file) and by doctor (a drop-in file).
 */
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stringify, type TomlTable } from 'smol-toml';

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
