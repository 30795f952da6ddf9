/** Checks the kernel and rights of a build host: root, control groups and limits that containers need, loop devices. */
import { existsSync } from 'node:fs';
import { truncate, writeFile, statfs } from 'node:fs/promises';
import { join, dirname } from 'node:path';
import { runCommand } from '../../../activities/tools/process/command.ts';
import { temporaryDirectory } from '../../../activities/tools/temporary-directory.ts';
import { planContainersConf } from '../../host/containers-conf.ts';
import { machineFacts } from '../../host/machine-facts.ts';
import { failed, failedBy, LOOK_WITHIN, ok, type Check } from '../check.ts';
import { containersConfResult, spaceResult } from '../results.ts';

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
    const { path: directory, remove } = temporaryDirectory('flightline-doctor-');
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
      await remove();
    }
  },
};

export const hostChecks: readonly Check[] = [root, containersConf, loopDevices];

async function freeBytes(path: string): Promise<number> {
  let existing = path;
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  return bavail * bsize;
}

export const spaceChecks: readonly Check[] = [
  {
    name: 'space for work',
    roles: ['build'],
    run: async ({ configuration }) => {
      const path = configuration.directories.work;
      return spaceResult('the work directory', path, await freeBytes(path));
    },
  },
  {
    name: 'space for images',
    roles: ['build'],
    run: async () => {
      const path = '/var/lib/containers/storage';
      return spaceResult("podman's images", path, await freeBytes(path));
    },
  },
];
