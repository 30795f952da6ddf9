/**
 * A release that is cancelled while it speaks to its registry: nothing of it is left within 15 seconds, and no tag has
 * moved.
 */
import { testCancellations } from './cancellation.ts';

testCancellations([
  { stage: 'resolve', at: { method: 'GET', path: /flightline\/debian-base\/manifests/, what: 'stall' } },
  {
    stage: 'push',
    // Layers that differ each time, so that they are really sent.
    lines: [`RUN echo ${Date.now()} > /etc/made`],
    at: { method: 'PATCH', path: /cancel-push\/blobs/, what: 'stall' },
  },
  { stage: 'sign', at: { method: 'PUT', path: /cancel-sign\/manifests\/.*\.sig/, what: 'stall' } },
  { stage: 'verify', at: { method: 'GET', path: /cancel-verify\/blobs/, what: 'stall' } },
  {
    stage: 'publish',
    disks: [{ type: 'raw', compress: 'none' }],
    at: { method: 'PATCH', path: /diskimage-raw\/blobs/, what: 'stall' },
  },
  { stage: 'tag', at: { method: 'PUT', path: /cancel-tag\/manifests\/v1/, what: 'stall' } },
  { stage: 'record', at: { method: 'PUT', path: /cancel-record\/release\/manifests/, what: 'stall' }, moved: true },
]);
