/** Checks the kernel and rights of a build host: root, control groups and limits that containers need, loop devices. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../../activities/tools/process/command.ts';
import {
  containersConfText,
  machineFacts,
  planContainersConf,
  type ContainersConfPlan,
  type MachineFacts,
} from '../../host/containers-conf.ts';
import { failed, failedBy, LOOK_WITHIN, ok, type Check, type CheckResult } from '../check.ts';

/** flightline's drop-in file, read after the distribution's. */
const DROP_IN = '/etc/containers/containers.conf.d/50-flightline.conf';

const root: Check = {
  name: 'root',
  roles: ['build'],
  async run() {
    const user = process.getuid?.();
    return user === 0
      ? ok('running as root')
      : failed(`running as user ${user}`, 'run build workers as root: disk builders need privileged containers');
  },
};

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

const containersConf: Check = {
  name: 'containers.conf',
  roles: ['build'],
  async run({ environment }) {
    const facts = machineFacts(environment);
    return containersConfResult(facts, planContainersConf(facts), environment['CONTAINERS_CONF'] || undefined);
  },
};

const loopDevices: Check = {
  name: 'loop devices',
  roles: ['build'],
  async run() {
    const remedy =
      'load the kernel module loop (modprobe loop), free devices (losetup -a), or pass /dev/loop* to this machine';
    if (!existsSync('/dev/loop-control')) return failed('/dev/loop-control is missing', remedy);
    const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-'));
    try {
      const file = join(directory, 'disk');
      await writeFile(file, '');
      await truncate(file, 1024 * 1024);
      const attached = await runCommand('losetup', ['--find', '--show', '--read-only', file], { timeout: LOOK_WITHIN });
      const device = attached.stdout.trim();
      await runCommand('losetup', ['--detach', device], { timeout: LOOK_WITHIN });
      return ok(`attached a file to ${device}`);
    } catch (error) {
      return failedBy(error, remedy);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};

export const hostChecks: readonly Check[] = [root, containersConf, loopDevices];
