/**
 * A release that is cancelled while something runs on its host: it ends there, nothing of it is left, and no tag
 * has moved.
 */
import { buildProcesses, builderContainers } from '../support/host-state.ts';
import { testCancellations } from './cancellation.ts';

testCancellations([
  {
    stage: 'build',
    lines: ['RUN sleep 301'],
    until: async (stack) => (await buildProcesses(stack)).some(({ command }) => command === 'sleep 301'),
  },
  {
    stage: 'disk-build',
    lines: ['LABEL io.flightline.example.builder-seconds=300'],
    disks: [{ type: 'qcow2' }],
    until: async (stack) => (await builderContainers(stack)).some(({ state }) => state === 'running'),
  },
]);
