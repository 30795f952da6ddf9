/** Checks the programs that roles need, and their oldest supported versions. */
import { readFileSync } from 'node:fs';
import { runCommand } from '../../../activities/tools/process/command.ts';
import type { Role } from '../../../model/contract/queue.ts';
import { failedBy, LOOK_WITHIN, ok, warning, type Check } from '../check.ts';
import { versionResult } from '../results.ts';

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
