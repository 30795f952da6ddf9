/** The namespaces of the test files: queues have fixed names, so files that run at once must not share them. */
export const NAMESPACES = [
  'clean',
  'kept-logs',
  'missing',
  'device-verify',
  'holds',
  'hosts',
  'boot-test',
  'ends',
  'shared-tag',
  'promotion',
  'nightly',
  'notify',
  'upgrade',
  'versions',
  'races',
  'beside',
  'waits',
  'platforms',
  'attest',
  'gates',
] as const;
export type Namespace = (typeof NAMESPACES)[number];
