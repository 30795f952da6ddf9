/**
 * The table of activities: by its name on the wire, each one's task queue, input and result. Workers derive from it
 * what they offer on which queue, and workflows the types of what they call. An activity parses its input. Results are
 * digests and short facts, never file contents or logs.
 */
import type { z } from 'zod';
import { STAGES, type Stage } from '../stage/stage.ts';
import type { ActivityQueue } from './activity.ts';
import { IMAGE_ACTIVITIES } from './build.ts';
import { CONTROL_ACTIVITIES } from './control.ts';
import { DISK_ACTIVITIES } from './disk.ts';
import { DRY_RUN_ACTIVITIES } from './dry-run.ts';
import { HOST_STATUS_ACTIVITIES } from './host-status.ts';
import { HOST_ACTIVITIES } from './host.ts';
import type { Role } from './queue.ts';
import { SIGN_ACTIVITIES } from './sign.ts';
import { TAG_ACTIVITIES } from './tags.ts';

export const ACTIVITIES = {
  ...CONTROL_ACTIVITIES,
  ...DRY_RUN_ACTIVITIES,
  ...TAG_ACTIVITIES,
  ...HOST_ACTIVITIES,
  ...HOST_STATUS_ACTIVITIES,
  ...IMAGE_ACTIVITIES,
  ...DISK_ACTIVITIES,
  ...SIGN_ACTIVITIES,
};

/** An activity's name on the wire. */
export type ActivityName = keyof typeof ACTIVITIES;
export type ActivityInput<Name extends ActivityName> = z.infer<(typeof ACTIVITIES)[Name]['input']>;
/** What the body of an activity returns; {@link ActivityResult} without the attempts, which the frame adds. */
export type ActivityAnswer<Name extends ActivityName> = Omit<z.infer<(typeof ACTIVITIES)[Name]['result']>, 'attempts'>;
type ActivityResult<Name extends ActivityName> = z.infer<(typeof ACTIVITIES)[Name]['result']> & {
  attempts: number;
};

/** The activities of a queue, as workers offer and workflows call them. */
export type ActivitiesOn<Queue extends ActivityQueue> = {
  [
    Name in ActivityName as Queue extends (typeof ACTIVITIES)[Name]['queues'][number] ? Name : never
  ]: undefined extends ActivityInput<Name>
    ? () => Promise<ActivityResult<Name>>
    : (input: ActivityInput<Name>) => Promise<ActivityResult<Name>>;
};

/** The names of the activities that are offered on a queue. */
export function activitiesOn(queue: ActivityQueue): ActivityName[] {
  return (Object.keys(ACTIVITIES) as ActivityName[]).filter((name) => queuesOf(name).includes(queue));
}

/** The queues that an activity is offered on. */
function queuesOf(name: ActivityName): readonly ActivityQueue[] {
  return ACTIVITIES[name].queues;
}

/** An activity's name in logs and failures, for people. An activity that does a stage has its name: `disk-build`. */
export function spokenName(name: ActivityName): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The stage that an activity works for; undefined for claims, clean-up, probes and pages of logs. */
export function stageOf(activity: string): Stage | undefined {
  if (activity === ('proveSigning' satisfies ActivityName)) return 'sign';
  return STAGES.find((stage) => stage === spokenName(activity as ActivityName));
}

/** `true` for the activity that removes from a host what a release left there. */
export function isCleanUp(activity: string): boolean {
  return activity === ('cleanUp' satisfies ActivityName);
}

/** The role whose workers do a stage. */
export function roleOf(stage: Stage): Role {
  const [queue] = (Object.keys(ACTIVITIES) as ActivityName[])
    .filter((name) => spokenName(name) === stage)
    .flatMap((name) => queuesOf(name));
  return queue === 'control' || queue === 'sign' ? queue : 'build';
}
