import { expect, it } from 'vitest';
import { describeStack } from '../../../../client/terminal/stack-runner.ts';
import type { Stack } from '../../../../workers/stack/stack.ts';

it('names where the Web UI lists what waits for a person', () => {
  const stack = {
    temporal: { address: '127.0.0.1:7233', namespace: 'default', webUi: 'http://127.0.0.1:8233' },
    registry: '127.0.0.1:5000',
    paths: { publicKey: '/s/release.pub', logs: '/s/logs', environment: '/s/environment' },
  } as Stack;
  const [url] = describeStack(stack).flatMap((line) => /what waits +(\S+)$/.exec(line)?.slice(1) ?? []);
  const { pathname, searchParams } = new URL(url!);
  expect(pathname).toBe('/namespaces/default/workflows');
  expect(searchParams.get('query')).toBe("FlightlineStatus = 'held' AND ExecutionStatus = 'Running'");
});
