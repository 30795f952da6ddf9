/**
 * A control worker as `flightline worker --role control` runs it, from the compiled code and the workflow bundle built
 * ahead, with stand-ins in the place of its own activities: `control-worker.mjs CONFIGURATION`. JavaScript, so that
 * nothing compiles it and its memory is the worker's.
 */
import { createHash } from 'node:crypto';
import { runWorker } from '../../dist/workers/run.js';

const digestOf = (name) => `sha256:${createHash('sha256').update(name).digest('hex')}`;

/** Answers as `resolve` does for a release whose tag does not exist. */
const resolve = ({ request }) => ({
  attempts: 1,
  unchanged: null,
  context: { repository: request.contextRepository, digest: request.context.digest },
  imageInputs: digestOf(`inputs of ${request.repository}`),
  bases: [{ reference: 'registry.example/base:1', digest: digestOf('base') }],
  builder: request.disks.length > 0 ? { reference: request.builder.image, digest: digestOf('builder') } : null,
  builderConfig: null,
  existingTag: null,
});

await runWorker({
  roles: ['control'],
  configurationFile: process.argv[2],
  activities: {
    control: {
      resolve: async (input) => resolve(input),
      hosts: async () => ({ attempts: 1, hosts: ['host-a'] }),
    },
  },
});
