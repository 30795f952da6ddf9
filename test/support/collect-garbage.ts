/** What registries do from time to time: manifests without a tag, and blobs that no manifest names, are deleted. */
import { execa } from 'execa';
import { eventually } from './wait.ts';
import type { TestStack } from './stack.ts';

/** Lets the stack's registry do it; it is started anew, since it remembers blobs that it has seen. */
export async function collectGarbage({ stack, registry }: Pick<TestStack, 'stack' | 'registry'>): Promise<void> {
  const running = () => stack.children().find(({ name }) => name === 'registry');
  const before = running()!;
  const program = (await execa('readlink', [`/proc/${before.pid}/exe`])).stdout;
  await execa(program, ['garbage-collect', '--delete-untagged', stack.paths.registryConfiguration]);
  process.kill(before.pid, 'SIGKILL');
  await eventually('the registry answers again', async () => {
    if (running()?.pid === before.pid) return undefined;
    const answer = await fetch(`http://${registry}/v2/`).catch(() => undefined);
    return answer?.ok || undefined;
  });
}
