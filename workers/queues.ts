/** Which task queues a role polls, and how many tasks of each it takes at once (DESIGN §4). Pure. */
import {
  CONTROL_QUEUE,
  HOST_WORK,
  SHORT_SLOTS,
  SIGN_QUEUE,
  claimQueue,
  hostQueue,
  type Architecture,
  type Role,
} from '../model/contract/queue.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';

/** One task queue of a worker process. */
export interface QueuePlan {
  role: Role;
  taskQueue: string;
  /** Which object of activities is offered on it. */
  activities: 'control' | 'sign' | 'claim' | (typeof HOST_WORK)[number];
  /** Activities at once. */
  slots: number;
  /** Time for running activities to end by themselves when the worker is told to stop (ms). */
  grace: number;
  /** Also runs workflows. */
  workflows: boolean;
}

/** Control activities wait for registries, hardly ever for this machine. */
const CONTROL_SLOTS = 20;
/** Commands against a registry mostly end within this; what runs longer is ended and tried again (ms). */
const GRACE = 5_000;

/** The queues of the roles, in the order in which they are listed in the log. The role `build` needs the host. */
export function planQueues(
  roles: readonly Role[],
  host: { name: string; architecture: Architecture } | undefined,
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
      // One slot: two signers of one digest lose each other's signatures (DESIGN §3.4).
      { role: 'sign', taskQueue: SIGN_QUEUE, activities: 'sign', slots: 1, grace: GRACE, workflows: false },
    ],
    build: () => {
      if (!host) throw new Error('a build worker needs a host');
      // Host activities detach at once: what they started goes on, or begins again with the next worker.
      const common = { role: 'build' as const, grace: 0, workflows: false };
      return [
        { ...common, taskQueue: claimQueue(host.architecture), activities: 'claim', slots: SHORT_SLOTS },
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
