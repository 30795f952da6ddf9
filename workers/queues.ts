/** Which task queues a role polls, and how many tasks of each it takes at once. Pure. */
import type { ActivityQueue } from '../model/contract/activity.ts';
import {
  CONTROL_QUEUE,
  HOST_WORK,
  SHORT_SLOTS,
  SIGN_QUEUE,
  claimQueue,
  hostQueue,
  type Role,
} from '../model/contract/queue.ts';
import type { Architecture } from '../model/base/host.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/** One task queue of a worker process. */
export interface QueuePlan {
  role: Role;
  taskQueue: string;
  /** Whose activities of the table are offered on it. */
  activities: ActivityQueue;
  /** Activities at once. */
  slots: number;
  /** How long running activities may take to end when the worker is told to stop (ms). */
  grace: number;
  /** Also runs workflows. */
  workflows: boolean;
}

/** Control activities mostly wait for registries. */
const CONTROL_SLOTS = 20;
/** Most commands against a registry end within this time (ms). Longer ones are ended, and retried. */
const GRACE = 5_000;

/** The queues of the roles, in the order in which they are listed in the log. The role `build` needs the host. */
export function planQueues(
  roles: readonly Role[],
  host: { name: string; architectures: readonly Architecture[] } | undefined,
  limits: WorkerConfiguration['limits'],
): QueuePlan[] {
  const plans: Record<Role, () => QueuePlan[]> = {
    control: () => [
      {
        role: 'control',
        taskQueue: CONTROL_QUEUE,
        activities: 'control',
        slots: CONTROL_SLOTS,
        grace: GRACE,
        workflows: true,
      },
    ],
    sign: () => [
      // One slot: two signers of one digest overwrite each other's signatures.
      { role: 'sign', taskQueue: SIGN_QUEUE, activities: 'sign', slots: 1, grace: GRACE, workflows: false },
    ],
    build: () => {
      if (!host) throw new Error('a build worker needs a host');
      // Host activities detach at once. What they started goes on, or starts again with the next worker.
      const common = { role: 'build' as const, grace: 0, workflows: false };
      return [
        ...host.architectures.map((architecture) => ({
          ...common,
          taskQueue: claimQueue(architecture),
          activities: 'claim' as const,
          slots: SHORT_SLOTS,
        })),
        ...HOST_WORK.map((work) => ({
          ...common,
          taskQueue: hostQueue(host.name, work),
          activities: work,
          slots: work === 'short' ? SHORT_SLOTS : limits[work],
        })),
      ];
    },
  };
  return [...new Set(roles)].flatMap((role) => plans[role]());
}
