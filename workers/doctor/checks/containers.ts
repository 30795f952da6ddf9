/** Checks that podman works for disk builds: its storage, and a privileged container that really starts. */
import { requireEmulation, tryContainer } from '../../../activities/tools/podman/container/try-container.ts';
import { runCommand } from '../../../activities/tools/process/command.ts';
import { machineArchitecture } from '../../configuration.ts';
import { failedBy, LOOK_WITHIN, ok, type Check } from '../check.ts';
import { storageResult } from '../results.ts';

const storage: Check = {
  name: 'container storage',
  roles: ['build'],
  async run() {
    try {
      const { stdout } = await runCommand('podman', ['info', '--format', 'json'], { timeout: LOOK_WITHIN });
      return storageResult(stdout);
    } catch (error) {
      return failedBy(error, 'see that `podman info` works');
    }
  },
};

const privilegedContainer: Check = {
  name: 'privileged container',
  roles: ['build'],
  async run() {
    try {
      await tryContainer(machineArchitecture(), ['--privileged']);
      return ok('a privileged container with a network starts and ends');
    } catch (error) {
      return failedBy(error, 'fix what podman reports; if the finding "containers.conf" failed, fix that first');
    }
  },
};

const architectures: Check = {
  name: 'architectures',
  roles: ['build'],
  async run({ configuration }) {
    const own = machineArchitecture();
    const named = configuration.architectures ?? [own];
    const others = named.filter((architecture) => architecture !== own);
    try {
      for (const architecture of others) await requireEmulation(architecture);
    } catch (error) {
      return failedBy(error, 'see that `podman run` works');
    }
    const emulated = others.length > 0 ? `, by emulation: ${others.join(', ')}` : '';
    return ok(`this machine is ${own}; it builds for ${named.join(', ')}${emulated}`);
  },
};

const gates: Check = {
  name: 'gates',
  roles: ['control', 'build'],
  run({ configuration: { gates: allowed, gatesWithNetwork } }) {
    const all = [...allowed, ...gatesWithNetwork.map((scope) => `${scope} with a network`)];
    return Promise.resolve(ok(all.length > 0 ? `images that may run as gates: ${all.join(', ')}` : 'none are allowed'));
  },
};

export const containerChecks: readonly Check[] = [storage, privilegedContainer, architectures, gates];
