/** Results of checks, from what they have read. Pure. */
import { z } from 'zod';
import { failed, ok, warning, type CheckResult } from './check.ts';
import { registrationProblem, type Registration } from '../../activities/image/red-hat.ts';
import { RED_HAT_REGISTRY } from '../../model/oci/red-hat.ts';
import { containersConfText, type ContainersConfPlan, type MachineFacts } from '../host/containers-conf.ts';

/** Where root's podman keeps images, and where the podman inside a builder looks for them. */
const GRAPH_ROOT = '/var/lib/containers/storage';

const Info = z.object({ store: z.object({ graphDriverName: z.string(), graphRoot: z.string() }) });

/** The result for the storage that `podman info --format json` shows. */
export function storageResult(info: string): CheckResult {
  const { graphDriverName: driver, graphRoot } = Info.parse(JSON.parse(info)).store;
  if (graphRoot !== GRAPH_ROOT) {
    return failed(
      `podman keeps images in ${graphRoot}`,
      `set graphroot = "${GRAPH_ROOT}" in storage.conf: the builder's own podman refuses a storage that moved`,
    );
  }
  if (driver !== 'overlay') {
    return warning(
      `podman's storage driver is ${driver}`,
      'use overlay (storage.conf): other drivers copy whole images and need many times the space',
    );
  }
  return ok(`overlay in ${graphRoot}`);
}

const GIB = 1024 ** 3;

/** What a builder run of a usual image needs: the image twice, the build tree and the disks (bytes). */
const WANTED = 40 * GIB;

/** With less than this not even the disks of a small image fit (bytes). */
const NEEDED = 10 * GIB;

/** The result for the free bytes of a place. */
export function spaceResult(what: string, path: string, free: number): CheckResult {
  const detail = `${(free / GIB).toFixed(0)} GiB free for ${what} (${path})`;
  const remedy = `free space there, or move it: a usual build needs ${WANTED / GIB} GiB`;
  if (free < NEEDED) return failed(detail, remedy);
  return free < WANTED ? warning(detail, remedy) : ok(detail);
}

const OLDEST = { podman: '5.0', skopeo: '1.14', 'container-selinux': '2.241' } as const;

/** `true` when a version is at least another, compared number by number. */
function isAtLeast(version: string, oldest: string): boolean {
  const numbers = (text: string) => text.split(/[.\-+~]/).map((part) => Number.parseInt(part, 10) || 0);
  const [left, right] = [numbers(version), numbers(oldest)];
  for (let index = 0; index < right.length; index += 1) {
    const difference = (left[index] ?? 0) - right[index]!;
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/** The first version number in a program's output. */
function versionIn(text: string): string | undefined {
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

/** The result. `login`: the worker configuration names an authfile for the registry. */
export function redHatResult(login: boolean, registration: Registration, now: Date): CheckResult {
  const problem = registrationProblem(registration, now);
  const registered = registration.identity === 'registered' || registration.entitlements.length > 0;
  // This host is not meant for RHEL.
  if (!login && !registered) return ok(`not prepared for ${RED_HAT_REGISTRY}, which only RHEL bases need`);
  const missing = [
    ...(login ? [] : [`there is no login to ${RED_HAT_REGISTRY}`]),
    ...(problem === null ? [] : [problem]),
  ];
  if (missing.length === 0) {
    const until = Math.max(...registration.entitlements.map(({ ends }) => ends.getTime()));
    return ok(`a login, and entitlements until ${new Date(until).toISOString().slice(0, 10)}`);
  }
  const remedies = [
    ...(login
      ? []
      : [`skopeo login --authfile FILE ${RED_HAT_REGISTRY}, and FILE under registries in the worker configuration`]),
    ...(problem === null ? [] : ['subscription-manager register']),
  ];
  return warning(`cannot build on RHEL bases: ${missing.join('; ')}`, remedies.join('; '));
}

/** flightline's drop-in file, read after the distribution's. */
const DROP_IN = '/etc/containers/containers.conf.d/50-flightline.conf';

/** The result for a plan of containers.conf. `replacement` is the file that replaces all others, if there is one. */
export function containersConfResult(
  facts: Pick<MachineFacts, 'cgroups'>,
  plan: ContainersConfPlan,
  replacement: string | undefined,
): CheckResult {
  if (plan.problems.length > 0) {
    return failed(plan.problems.join('; '), 'install runc, or boot with version 2 control groups');
  }
  if (plan.reasons.length === 0) return ok(`control groups ${facts.cgroups}; containers.conf fits this machine`);
  const content = containersConfText(plan.settings, `flightline: ${plan.reasons.join('; ')}.`);
  if (replacement) {
    const lines = content.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return failed(
      plan.reasons.join('; '),
      `CONTAINERS_CONF names ${replacement}, which replaces /etc's: add to it ${lines.join(' ')}`,
    );
  }
  return failed(plan.reasons.join('; '), `\`flightline doctor --fix\` writes ${DROP_IN}`, { file: DROP_IN, content });
}
