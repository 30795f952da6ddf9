/** Checks the programs that roles need, and their oldest supported versions. */
import { readFileSync } from 'node:fs';
import { runCommand } from '../../../activities/tools/process/command.ts';
import type { Role } from '../../../model/contract/queue.ts';
import { failed, failedBy, LOOK_WITHIN, ok, warning, type Check, type CheckResult } from '../check.ts';

const OLDEST = { podman: '5.0', skopeo: '1.14', 'container-selinux': '2.241' } as const;

/** `true` when a version is at least another, compared number by number. */
export function isAtLeast(version: string, oldest: string): boolean {
  const numbers = (text: string) => text.split(/[.\-+~]/).map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(version), numbers(oldest)];
  for (let index = 0; index < right.length; index += 1) {
    const difference = (left[index] ?? 0) - right[index]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The first version number in a program's output. */
export function versionIn(text: string): string | undefined {
  return /\d+(?:\.\d+)+/.exec(text)?.[0];
}

/** The result for a program of a version. */
export function versionResult(program: keyof typeof OLDEST, output: string): CheckResult {
  const version = versionIn(output);
  const oldest = OLDEST[program];
  if (version === undefined) {
    return warning(`${program} does not print its version: ${output.trim()}`, `check that it is ${oldest} or later`);
  }
  return isAtLeast(version, oldest)
    ? ok(`${program} ${version}`)
    : failed(
        `${program} ${version} is older than ${oldest}`,
        `install ${program} ${oldest} or later: Debian 13, Fedora 41, CentOS Stream 9 and later have it`,
      );
}

function programCheck(name: 'podman' | 'skopeo', roles: readonly Role[]): Check {
  return {
    name,
    roles,
    async run() {
      try {
        const { stdout } = await runCommand(name, ['--version'], { timeout: LOOK_WITHIN });
        return versionResult(name, stdout);
      } catch (error) {
        return failedBy(error, `see that \`${name} --version\` works`);
      }
    },
  };
}

const git: Check = {
  name: 'git',
  roles: ['control'],
  async run() {
    try {
      const { stdout } = await runCommand('git', ['--version'], { timeout: LOOK_WITHIN });
      return ok(stdout.trim());
    } catch {
      return warning('git is not installed', 'install git if releases are to take their context from git repositories');
    }
  },
};

const containerSelinux: Check = {
  name: 'container-selinux',
  roles: ['build'],
  async run() {
    if (!selinuxEnforces()) return ok('SELinux does not enforce here');
    try {
      const args = ['--query', '--queryformat', '%{VERSION}', 'container-selinux'];
      const { stdout } = await runCommand('rpm', args, { timeout: LOOK_WITHIN });
      return versionResult('container-selinux', stdout);
    } catch (error) {
      return failedBy(error, 'SELinux enforces: install container-selinux 2.241 or later');
    }
  },
};

function selinuxEnforces(): boolean {
  try {
    return readFileSync('/sys/fs/selinux/enforce', 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

export const versionChecks: readonly Check[] = [
  programCheck('podman', ['build']),
  programCheck('skopeo', ['control', 'build', 'sign']),
  containerSelinux,
  git,
];
