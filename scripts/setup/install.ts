import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './detect.ts';
import { candidatesIn, SetupError, tooOld } from './plan.ts';
import type { Missing, Plan } from './plan.ts';
import type { GoProgram } from './tools.ts';

/** Where the trixie source and its pin are written on Debian 12. */
export const TRIXIE_SOURCES = '/etc/apt/sources.list.d/flightline-trixie.sources';
export const TRIXIE_PREFERENCES = '/etc/apt/preferences.d/flightline-trixie';

const POLICY = '/usr/sbin/policy-rc.d';

/** No question from dpkg, debconf, ucf, apt-listchanges or needrestart may stop an unattended installation. */
const UNATTENDED = {
  DEBIAN_FRONTEND: 'noninteractive',
  APT_LISTCHANGES_FRONTEND: 'none',
  NEEDRESTART_SUSPEND: '1',
  UCF_FORCE_CONFFOLD: '1',
};

const APT_OPTIONS = [
  '--option=Acquire::Retries=3',
  '--option=Dpkg::Use-Pty=0',
  '--option=Dpkg::Options::=--force-confdef',
  '--option=Dpkg::Options::=--force-confold',
];

/** Runs a program with its output on stderr; throws SetupError when it fails. */
async function run(program: string, args: readonly string[], environment: Record<string, string> = {}): Promise<void> {
  const line = [program, ...args].join(' ');
  const status = await new Promise<string>((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', process.stderr, process.stderr],
      env: { ...process.env, ...environment },
    });
    child.on('error', (error) => reject(new SetupError(`${program} could not be started: ${error.message}`)));
    child.on('exit', (code, signal) => resolve(signal ?? String(code)));
  });
  if (status !== '0') {
    throw new SetupError(`"${line}" ended with ${status}; its messages are above. Fix that and run the command again.`);
  }
}

async function isThere(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  );
}

/** Installs what the plan says. Needs root. */
export async function install(plan: Plan, missing: readonly Missing[]): Promise<void> {
  if (plan.packages.length > 0) {
    if (plan.manager === 'apt') await installWithApt(plan, missing);
    else await installWithDnf(plan.packages);
  }
  for (const program of plan.build) await buildWithGo(program);
}

async function installWithApt(plan: Plan, missing: readonly Missing[]): Promise<void> {
  if (plan.trixie?.files) {
    // The pin first: a source without it would offer all of trixie to an ordinary upgrade.
    await writeFile(TRIXIE_PREFERENCES, plan.trixie.files.preferences);
    await writeFile(TRIXIE_SOURCES, plan.trixie.files.sources);
  }
  await run('apt-get', [...APT_OPTIONS, 'update'], UNATTENDED);
  const release = plan.trixie ? ['--target-release=trixie'] : [];
  await checkCandidates(plan, missing, release);
  await withoutRegistryService(plan.packages, () =>
    run(
      'apt-get',
      [...APT_OPTIONS, ...release, 'install', '--yes', '--no-install-recommends', ...plan.packages],
      UNATTENDED,
    ),
  );
}

/** Stops before anything is changed when the distribution's packages cannot do (Ubuntu 24.04 has podman 4.9). */
async function checkCandidates(plan: Plan, missing: readonly Missing[], release: readonly string[]): Promise<void> {
  const { stdout } = await promisify(execFile)('apt-cache', [...release, 'policy', ...plan.packages], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  const problems = tooOld(missing, candidatesIn(stdout));
  if (problems.length === 0) return;
  throw new SetupError(
    `This distribution's packages cannot do: ${problems.join('; ')}. Nothing was installed. Use a newer ` +
      'release of the ' +
      'distribution (Debian 12, Ubuntu 25.04 and later have what is needed), or install these tools from elsewhere.',
  );
}

/**
 * Debian's docker-registry package starts a registry of its own on port 5000, and at every boot. flightline wants only
 * the program: a policy (invoke-rc.d's and deb-systemd-invoke's own mechanism) refuses that one start during the
 * installation, and the service is left disabled.
 */
async function withoutRegistryService(packages: readonly string[], work: () => Promise<void>): Promise<void> {
  const name = 'docker-registry';
  if (!packages.includes(name) || (await findProgram([name])) !== undefined) return work();
  // A policy that is already there (container images have one) belongs to somebody else.
  const ours = !(await isThere(POLICY));
  if (ours) {
    await writeFile(
      POLICY,
      `#!/bin/sh\n# Written by flightline for one installation.\ncase "$1" in ${name}*) exit 101 ;; esac\nexit 0\n`,
    );
    await chmod(POLICY, 0o755);
  }
  try {
    await work();
  } finally {
    if (ours) await rm(POLICY, { force: true });
  }
  if ((await findProgram(['update-rc.d'])) !== undefined) await run('update-rc.d', [name, 'disable']);
}

async function installWithDnf(packages: readonly string[]): Promise<void> {
  // Not strict: a package that this release lacks is reported afterwards with its tool's name and reason.
  await run('dnf', [
    'install',
    '--assumeyes',
    '--setopt=install_weak_deps=False',
    '--setopt=strict=False',
    ...packages,
  ]);
}

/** Builds a program from the Go module proxy and puts it in place in one step. */
async function buildWithGo({ module, path: target }: GoProgram): Promise<void> {
  if ((await findProgram(['go'])) === undefined) {
    throw new SetupError(
      `${path.basename(target)} has to be built from ${module}, and Go is not installed (https://go.dev/dl).`,
    );
  }
  const directory = await mkdtemp(path.join(os.tmpdir(), 'flightline-go-'));
  try {
    await run('go', ['install', module], { GOBIN: directory });
    const built = path.join(directory, path.posix.basename(module.split('@')[0] ?? ''));
    // The temporary directory may be on another file system, where rename does not reach.
    await copyFile(built, `${target}.new`);
    await rename(`${target}.new`, target);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
