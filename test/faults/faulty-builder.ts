/** Builders that do one thing wrong: small images on the example builder, each with its behaviour as entry point. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { podman } from '../support/host-state.ts';
import { startTestStack, type StackFacts, type TestStack } from '../support/stack.ts';

/** Path of these builders below the registry; the worker configuration must allow it. */
const FAULTY_BUILDERS = 'test/faulty-builder';

/**
 * What they do, as shell text. `slow` writes a file named like its container, which it renames and completes only at
 * its end: a file of an earlier run that was still there would be a second one.
 */
export const BEHAVIOURS = {
  'says-why': 'echo "error: cannot build manifest: the kernel is on strike" >&2; exit 1',
  'is-killed': 'echo "working hard"; exit 137',
  'leaves-nothing': 'echo done',
  'leaves-an-empty-file': 'mkdir /output/qcow2; : > /output/qcow2/disk.qcow2',
  'leaves-half-a-file':
    'mkdir /output/qcow2; echo half > /output/qcow2/disk.qcow2; echo "error: exporting: broken pipe" >&2; exit 1',
  // Exit code 0: nobody but the format itself says that something is missing.
  'cuts-off-its-file': `mkdir /output/qcow2; head -c 1000000 /dev/urandom > /raw
    qemu-img convert -O qcow2 /raw /output/qcow2/disk.qcow2; truncate -s 500000 /output/qcow2/disk.qcow2`,
  // Each for longer than the limit of the test, and then it makes its disk.
  'computes-in-silence': `while [ $SECONDS -lt 25 ]; do for i in {1..40000}; do :; done; sleep 0.3; done
    mkdir /output/qcow2; qemu-img convert -O qcow2 /etc/os-release /output/qcow2/disk.qcow2`,
  'reads-in-silence': `head -c 1000000 /dev/urandom > /store/work; sync
    while [ $SECONDS -lt 25 ]; do dd if=/store/work of=/dev/null iflag=direct bs=64k status=none; sleep 1; done
    mkdir /output/qcow2; qemu-img convert -O qcow2 /etc/os-release /output/qcow2/disk.qcow2`,
  sleeps: 'echo "Disk image building step"; sleep 600 & wait',
  slow: `trap 'exit 143' TERM; type=qcow2; [[ $* == *--type=iso* ]] && type=iso
    declare -A names=([qcow2]=qcow2 [iso]=bootiso); out=/output/\${names[$type]}
    mkdir $out; echo half > $out/$HOSTNAME.$type; sleep 6 & wait $!
    echo "made by $HOSTNAME" > /note
    if [ $type = iso ]; then xorriso -as mkisofs -quiet -o $out/$HOSTNAME.iso /note
    else qemu-img convert -O qcow2 /note $out/$HOSTNAME.qcow2; fi
    mv $out/$HOSTNAME.$type $out/disk.$type`,
} as const;
export type Behaviour = keyof typeof BEHAVIOURS;

/** Makes one of each and pushes it. Returns their references; `remove` takes the images from the host's storage. */
async function publishFaultyBuilders(
  stack: Pick<StackFacts, 'environment' | 'registry'>,
): Promise<{ references: Record<Behaviour, string>; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-builder-'));
  const references = {} as Record<Behaviour, string>;
  try {
    for (const [name, script] of Object.entries(BEHAVIOURS)) {
      const reference = `${stack.registry}/${FAULTY_BUILDERS}:${name}`;
      await writeFile(join(directory, 'run'), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
      await writeFile(
        join(directory, 'Containerfile'),
        `FROM ${EXAMPLE_IMAGES.builder.local}\nCOPY run /run-wrong\nENTRYPOINT ["/run-wrong"]\n`,
      );
      await podman(stack, ['build', '--quiet', '--layers=false', '--pull=never', '--tag', reference, directory]);
      await podman(stack, ['push', '--quiet', '--tls-verify=false', reference]);
      references[name as Behaviour] = reference;
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  return {
    references,
    remove: async () => {
      await podman(stack, ['rmi', '--force', ...Object.values(references)]);
    },
  };
}

/** A stack that may run these builders, so many at once, and the builders in its registry. */
export async function startFaultyStack(
  disk: number,
): Promise<{ stack: TestStack; references: Record<Behaviour, string>; end(): Promise<void> }> {
  const stack = await startTestStack({
    configure: (configuration) => ({
      ...configuration,
      limits: { ...configuration.limits, disk },
      builders: [...configuration.builders, `${configuration.keys['release']!.repositories[0]}/${FAULTY_BUILDERS}`],
    }),
  });
  const builders = await publishFaultyBuilders(stack).catch(async (error: unknown) => {
    await stack.end();
    throw error;
  });
  const end = async () => {
    await builders.remove();
    await stack.end();
  };
  return { stack, references: builders.references, end };
}
