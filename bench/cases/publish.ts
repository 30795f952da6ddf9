/** How much publishing a disk writes on the build host. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import type { CaseOnSite, Row } from '../case.ts';
import { makeInputs } from '../inputs.ts';
import { guideSide, settle } from '../sides.ts';

const Published = z.object({ written: z.number(), seconds: z.number() });
const FORMS = [
  ['artifact', 'published as an artifact', 0.05],
  ['container-disk', 'published as a container disk', 1.1],
] as const;

export const publish: CaseOnSite = {
  name: 'publish',
  onSite: true,
  run: async (plan, say, site) => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-bench-disk-'));
    const rows: Row[] = [];
    try {
      const file = join(directory, 'disk.qcow2');
      // Bytes that nothing compresses, as most of a real disk's.
      const scriptFile = join(directory, 'script-disk.qcow2');
      for (const [path, size] of [
        [file, plan.diskSize],
        [scriptFile, plan.scriptDiskSize],
      ] as const) {
        await execa('dd', ['if=/dev/urandom', `of=${path}`, 'bs=1M', `count=${size / 1024 ** 2}`]);
      }
      const inputs = await makeInputs(site.stack.registry, 1);
      const guide = await guideSide(site);
      try {
        await guide.podman(['pull', '--quiet', '--tls-verify=false', inputs.base]);
        for (const [form, measure, most] of FORMS) {
          await settle();
          const repository = `${site.stack.registry}/bench/publish-${form}`;
          const { stdout } = await execa(
            process.execPath,
            [...process.execArgv, join(import.meta.dirname, '../publish-process.ts'), form, file, repository],
            { env: site.environment },
          );
          const ours = Published.parse(JSON.parse(stdout));
          await settle();
          const order = { inputs, repository: `${repository}-by-guide`, tag: 'v1', disks: [] };
          const theirs = await guide.publish(form, scriptFile, order);
          say(
            `${form}: flightline ${ours.written} bytes in ${ours.seconds.toFixed(1)} s, script ` +
              `${theirs.written} bytes in ${theirs.seconds.toFixed(1)} s`,
          );
          rows.push({
            case: `publishing a disk of ${plan.diskSize / 1024 ** 2} MiB`,
            measure: `bytes written on the build host ÷ disk size, ${measure}`,
            unit: 'ratio',
            values: [ours.written / plan.diskSize],
            target: { most },
            note:
              `what the publishing process and the programs it waited for wrote (\`write_bytes\` of ` +
              '/proc/PID/io, proc(5)), the registry not among them; the script writes ' +
              `${(theirs.written / plan.scriptDiskSize).toFixed(2)} (measured with ` +
              `${plan.scriptDiskSize / 1024 ** 2} MiB).`,
            headline: { what: `bytes written on the build host for a disk ${measure}`, times: 'its size' },
          });
        }
      } finally {
        await guide.end();
        await inputs.remove();
      }
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
    return { rows };
  },
};
