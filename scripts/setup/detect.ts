import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { parseDeb822, parseOneLine } from './apt-sources.ts';
import type { AptSource } from './apt-sources.ts';
import { parseOsRelease } from './os-release.ts';
import type { OsRelease } from './os-release.ts';
import type { Missing } from './plan.ts';
import type { HostTool, Machine } from './tools.ts';
import { compareVersions, versionIn } from './version.ts';

/** Searched besides PATH: a user's PATH often leaves out where nft and its like live. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

async function isThere(file: string, mode: number): Promise<boolean> {
  try {
    await access(file, mode);
    return true;
  } catch {
    return false;
  }
}

/** The path of the first of these programs that can be executed. */
export async function findProgram(names: readonly string[]): Promise<string | undefined> {
  const directories = [...(process.env['PATH'] ?? '').split(path.delimiter), ...SYSTEM_DIRECTORIES];
  for (const name of names) {
    const candidates = name.includes('/') ? [name] : directories.map((directory) => path.join(directory, name));
    for (const candidate of candidates) {
      if (await isThere(candidate, constants.X_OK)) return candidate;
    }
  }
  return undefined;
}

/** What a program prints for `--version`; undefined when it does not run. */
async function versionOf(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: 10_000 }, (error, stdout) => {
      resolve(error ? undefined : versionIn(stdout));
    });
  });
}

/** Looks for a tool; undefined when it is there and new enough. */
async function look(tool: HostTool): Promise<Missing | undefined> {
  if (tool.files) {
    for (const file of tool.files) {
      if (await isThere(file, constants.R_OK)) return undefined;
    }
    return { tool };
  }
  const program = await findProgram(tool.programs ?? []);
  if (program === undefined) return { tool };
  if (tool.minimum === undefined) return undefined;
  const found = await versionOf(program);
  if (found === undefined) return { tool, found: `${program}, which does not run` };
  return compareVersions(found, tool.minimum) >= 0 ? undefined : { tool, found };
}

/** The tools of this list that this machine lacks, by really looking. */
export async function findMissing(tools: readonly HostTool[]): Promise<Missing[]> {
  const results = await Promise.all(tools.map(look));
  return results.filter((result) => result !== undefined);
}

/** The facts that decide which tools this machine needs. */
export async function inspectMachine(): Promise<Machine> {
  return {
    architecture: process.arch,
    cgroupV2: await isThere('/sys/fs/cgroup/cgroup.controllers', constants.F_OK),
  };
}

/** The running distribution. */
export async function readOsRelease(): Promise<OsRelease> {
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    if (await isThere(file, constants.R_OK)) return parseOsRelease(await readFile(file, 'utf8'));
  }
  return parseOsRelease('');
}

/** Every enabled source of apt, in both formats. */
export async function readAptSources(directory = '/etc/apt'): Promise<AptSource[]> {
  const parts = path.join(directory, 'sources.list.d');
  const names = (await isThere(parts, constants.R_OK)) ? await readdir(parts) : [];
  const sources: AptSource[] = [];
  const list = path.join(directory, 'sources.list');
  if (await isThere(list, constants.R_OK)) sources.push(...parseOneLine(await readFile(list, 'utf8')));
  for (const name of names.toSorted()) {
    // apt reads only these two endings.
    if (name.endsWith('.list')) sources.push(...parseOneLine(await readFile(path.join(parts, name), 'utf8')));
    if (name.endsWith('.sources')) sources.push(...parseDeb822(await readFile(path.join(parts, name), 'utf8')));
  }
  return sources;
}
