/** The stages of a release, and the statuses of stages and releases. */

/** Stages in the order in which they run. */
export const STAGES = [
  'resolve',
  'build',
  'push',
  'sign',
  'verify',
  'device-verify',
  'disk-build',
  'boot-test',
  'publish',
  'tag',
  'record',
] as const;
export type Stage = (typeof STAGES)[number];

export const STAGE_STATUSES = ['waiting', 'running', 'done', 'held', 'failed', 'skipped', 'cancelled'] as const;
export type StageStatus = (typeof STAGE_STATUSES)[number];

export const RELEASE_STATUSES = ['running', 'held', 'released', 'unchanged', 'failed', 'cancelled'] as const;
export type ReleaseStatus = (typeof RELEASE_STATUSES)[number];

/** `true` when the release has ended. */
export function isFinal(status: ReleaseStatus): boolean {
  return status !== 'running' && status !== 'held';
}

/** The search attributes of a release: name and Temporal type. The control worker creates them before it polls. */
export const SEARCH_ATTRIBUTES = {
  FlightlineRepository: 'KEYWORD',
  FlightlineTag: 'KEYWORD',
  FlightlineStage: 'KEYWORD',
  FlightlineStatus: 'KEYWORD',
  FlightlineHost: 'KEYWORD_LIST',
} as const;
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;

/** The key of one, in the form of the SDK, which need not be loaded for it. */
export function searchAttribute<Name extends SearchAttributeName>(
  name: Name,
): { name: Name; type: (typeof SEARCH_ATTRIBUTES)[Name] } {
  return { name, type: SEARCH_ATTRIBUTES[name] };
}
