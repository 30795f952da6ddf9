/**
 * A release that is cancelled while something runs on its host: nothing of it is left within 15 seconds, and no tag has
 * moved.
 */
import { buildProcesses, builderContainers } from '../support/host-state.ts';
import { testCancellations } from './cancellation.ts';

testCancellations([
  {
    stage: 'build',
    lines: ['RUN sleep 61'],
    until: async (stack) => (await buildProcesses(stack)).some(({ command }) => command === 'sleep 61'),
  },
  {
    stage: 'disk-build',
    lines: ['LABEL io.flightline.example.builder-seconds=60'],
    disks: [{ type: 'qcow2' }],
    until: async (stack) => (await builderContainers(stack)).some(({ state }) => state === 'running'),
  },
]);
