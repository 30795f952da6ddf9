/** A stack whose registry can also be reached through a proxy that causes faults. */
import { startFaultProxy, type FaultProxy } from './fault-proxy.ts';
import { startTestStack, type TestStack } from './stack.ts';
import type { StackOptions } from '../../workers/stack/stack.ts';

/** Starts both. Projects made with `registry: proxy.address` speak to the registry through the proxy alone. */
export async function startProxiedStack(
  options: Partial<StackOptions> = {},
): Promise<{ stack: TestStack; proxy: FaultProxy; end: () => Promise<void> }> {
  // The proxy's address must be known before the stack's: the worker configuration names it.
  let registry = '';
  const proxy = await startFaultProxy(() => registry);
  try {
    const stack = await startTestStack({
      ...options,
      configure: (generated) => {
        const configuration = options.configure?.(generated) ?? generated;
        const key = configuration.keys['release']!;
        return {
          ...configuration,
          builders: [...configuration.builders, proxy.address],
          keys: { ...configuration.keys, release: { ...key, repositories: [...key.repositories, proxy.address] } },
        };
      },
    });
    registry = stack.registry;
    const end = async () => {
      await stack.end();
      await proxy.stop();
    };
    return { stack, proxy, end };
  } catch (error) {
    await proxy.stop();
    throw error;
  }
}
