/** Where the measurements run: a stack of their own, and a podman storage for each side. */
import { allowRechunker } from '../test/support/rechunker/push.ts';
import { startBuildHost, type BuildHost, type BuildHostOptions } from '../test/support/second-host.ts';
import { startTestStack, type TestStack } from '../test/support/stack.ts';
import type { Role } from '../model/contract/queue.ts';
import { startMeter, type Meter } from './meter.ts';

export interface Site {
  stack: TestStack;
  /** Stands before the registry and counts what is sent to it. Names that begin with its address go through it. */
  meter: Meter;
  /** For the command: addresses, and no timing but the default one. */
  environment: Record<string, string>;
  /** A build host with an empty storage. */
  host(name: string, options?: Partial<BuildHostOptions>): Promise<BuildHost>;
  end(): Promise<void>;
}

/** Starts a stack with the example images in its registry, control and sign workers, and no build host yet. */
export async function openSite(roles: readonly Role[] = ['control', 'sign']): Promise<Site> {
  let registry = '';
  const meter = await startMeter(() => registry);
  try {
    const stack = await startTestStack({
      roles,
      configure: (generated) => {
        const key = generated.keys['release']!;
        return {
          ...allowRechunker(generated),
          builders: [...generated.builders, `${meter.address}/flightline/debian-builder`],
          keys: { release: { ...key, repositories: [...key.repositories, meter.address] } },
        };
      },
    });
    registry = stack.registry;
    const { FLIGHTLINE_TIMING: _, ...environment } = stack.environment;
    return {
      stack,
      meter,
      environment,
      host: (name, options) => startBuildHost(stack.stack, { name, private: true, ...options }),
      end: async () => {
        await stack.end();
        await meter.stop();
      },
    };
  } catch (error) {
    await meter.stop();
    throw error;
  }
}
