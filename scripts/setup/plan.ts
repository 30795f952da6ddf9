import { namesSuite, trixieFiles } from './apt-sources.ts';
import type { AptSource, TrixieFiles } from './apt-sources.ts';
import { familyOf } from './os-release.ts';
import type { OsRelease } from './os-release.ts';
import type { GoProgram, HostTool } from './tools.ts';
import { compareVersions, upstreamVersion } from './version.ts';

/** A tool that is missing or too old. */
export interface Missing {
  tool: HostTool;
  /** The version found, when it is only too old. */
  found?: string;
}

/** How a machine gets its missing tools. */
export interface Plan {
  manager: 'apt' | 'dnf';
  packages: string[];
  /** Set where packages come from Debian 13 (trixie) on a Debian 12 machine; `files` when apt does not know it yet. */
  trixie?: { files?: TrixieFiles };
  /** Programs built from source. */
  build: GoProgram[];
  /** What has to come from elsewhere. */
  elsewhere: { tool: HostTool; hint: string }[];
}

/** A machine that cannot be set up; the message says what a person can do. */
export class SetupError extends Error {
  override name = 'SetupError';
}

/** Decides how a machine gets its missing tools. Throws SetupError for an unknown distribution. */
export function makePlan(os: OsRelease, missing: readonly Missing[], aptSources: readonly AptSource[]): Plan {
  const family = familyOf(os);
  if (family === undefined) {
    throw new SetupError(
      `${os.name} is not a distribution whose packages flightline knows. Install these with its own tools, and run ` +
        `the command again:\n${missing.map(describeMissing).join('\n')}`,
    );
  }
  const plan: Plan = { manager: family === 'debian' ? 'apt' : 'dnf', packages: [], build: [], elsewhere: [] };
  for (const { tool } of missing) {
    const packages = tool.packages[family];
    if (packages.length > 0) plan.packages.push(...packages);
    else if (tool.otherwise && 'build' in tool.otherwise) plan.build.push(tool.otherwise.build);
    else plan.elsewhere.push({ tool, hint: tool.otherwise?.hint ?? 'no package holds it' });
  }
  plan.packages = [...new Set(plan.packages)];
  if (needsTrixie(os, aptSources) && plan.packages.length > 0) {
    if (namesSuite(aptSources, 'trixie')) return { ...plan, trixie: {} };
    const files = trixieFiles(aptSources);
    if (!files) {
      throw new SetupError(
        `${os.name} has packages that are too old, and no apt source names bookworm, so its mirror is not known. ` +
          'Add a source for trixie by hand and run the command again.',
      );
    }
    return { ...plan, trixie: { files } };
  }
  return plan;
}

/**
 * Debian 12 needs trixie's packages. os-release alone does not tell: installing from trixie upgrades base-files, and
 * the machine then calls itself 13 while apt still prefers bookworm.
 */
function needsTrixie(os: OsRelease, sources: readonly AptSource[]): boolean {
  return os.id === 'debian' && (os.version === '12' || namesSuite(sources, 'bookworm'));
}

/** One line for a person: the tool, what was found, and why it is needed. */
export function describeMissing({ tool, found }: Missing): string {
  const wanted = tool.minimum === undefined ? tool.name : `${tool.name} ${tool.minimum} or later`;
  const state = found === undefined ? '' : ` (found ${found})`;
  return `  ${`${wanted}${state}`.padEnd(24)} ${tool.why}`;
}

/** The package lists that apt would install, by package, out of `apt-cache policy`. */
export function candidatesIn(policy: string): Map<string, string> {
  const candidates = new Map<string, string>();
  let name = '';
  for (const line of policy.split('\n')) {
    const heading = /^(\S+):$/.exec(line);
    if (heading?.[1]) name = heading[1];
    const candidate = /^ {2}Candidate: (\S+)/.exec(line);
    if (candidate?.[1] && candidate[1] !== '(none)') candidates.set(name, candidate[1]);
  }
  return candidates;
}

/** The tools that would still be too old (or not there at all) after an installation of these candidates. */
export function tooOld(missing: readonly Missing[], candidates: ReadonlyMap<string, string>): string[] {
  return missing.flatMap(({ tool }) => {
    const [name] = tool.packages.debian;
    if (name === undefined) return [];
    const candidate = candidates.get(name);
    if (candidate === undefined) return [`${name} is not in the package lists`];
    if (tool.minimum === undefined || compareVersions(upstreamVersion(candidate), tool.minimum) >= 0) return [];
    return [`${name} is ${upstreamVersion(candidate)}, and ${tool.minimum} or later is needed`];
  });
}
