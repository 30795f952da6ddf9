/** The stages of a release (DESIGN §3) and the statuses of stages and releases (DESIGN §8). */

/** Stages in the order a person would name them. */
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

/** `true` when the release has ended and will not change any more. */
export function isFinal(status: ReleaseStatus): boolean {
  return status !== 'running' && status !== 'held';
}

/** The search attributes of a release: name and Temporal type. The control worker creates them before it polls (DESIGN §5). */
export const SEARCH_ATTRIBUTES = {
  FlightlineRepository: 'KEYWORD',
  FlightlineTag: 'KEYWORD',
  FlightlineStage: 'KEYWORD',
  FlightlineStatus: 'KEYWORD',
  FlightlineHost: 'KEYWORD_LIST',
} as const;
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES;
