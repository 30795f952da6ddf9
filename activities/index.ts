/** The table of bodies, which do the work of activities. Nothing else imports the frame. */
import { pathToFileURL } from 'node:url';
import { ACTIVITIES, activitiesOn } from '../model/contract/activities.ts';
import type { ActivitiesOn, ActivityName } from '../model/contract/activities.ts';
import type { ActivityQueue } from '../model/contract/activity.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { framed } from './frame.ts';
import type { HostContext } from './host/work-directory.ts';
import type { ActivityContext } from './server.ts';
import { codeFile } from './tools/package-root.ts';

/** What bodies know of their worker: its configuration on control and sign workers, the host on build workers. */
type Place<Queue extends ActivityQueue> = Queue extends 'control' | 'sign'
  ? { configuration: WorkerConfiguration }
  : HostContext;

/** The default export of an activity's file, which names the activity by its type. */
type Body = (place: object, input: unknown, context: ActivityContext) => Promise<object>;

async function loadBody(name: ActivityName): Promise<Body> {
  const url = pathToFileURL(codeFile(`activities/${ACTIVITIES[name].file}`)).href;
  return ((await import(url)) as { default: Body }).default;
}

/**
 * The activities of a queue, as a worker offers them. They are loaded now, and no others: a running worker must not mix
 * in an update of the package, and a sign worker needs nothing of podman.
 */
export async function offeredOn<Queue extends ActivityQueue>(
  queue: Queue,
  place: Place<Queue>,
): Promise<ActivitiesOn<Queue>> {
  const load = async (name: ActivityName) => {
    const body = await loadBody(name);
    return [name, framed(name, ACTIVITIES[name].input, (input, context) => body(place, input, context))] as const;
  };
  return Object.fromEntries(await Promise.all(activitiesOn(queue).map(load))) as ActivitiesOn<Queue>;
}
