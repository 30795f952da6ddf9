/** The one table of bodies: what does the work of each activity. Nobody else imports the frame. */
import { pathToFileURL } from 'node:url';
import { ACTIVITIES, activitiesOn } from '../model/contract/activities.ts';
import type { ActivitiesOn, ActivityName } from '../model/contract/activities.ts';
import type { ActivityQueue } from '../model/contract/activity.ts';
import type { WorkerConfiguration } from '../model/spec/worker-configuration.ts';
import { framed } from './frame.ts';
import type { HostContext } from './host/work-directory.ts';
import type { ActivityContext } from './server.ts';
import { codeFile } from './tools/package-root.ts';

/** What bodies know of where they run: control and sign workers their configuration, build workers their host. */
type Place<Queue extends ActivityQueue> = Queue extends 'control' | 'sign'
  ? { configuration: WorkerConfiguration }
  : HostContext;

/** The default export of an activity's file, which names the activity by its type. */
type Body = (place: object, input: unknown, context: ActivityContext) => Promise<object>;

/** All are loaded at the start: an update of the package must not reach a worker that runs. */
const BODIES = new Map(await Promise.all((Object.keys(ACTIVITIES) as ActivityName[]).map(loadBody)));

async function loadBody(name: ActivityName): Promise<[ActivityName, Body]> {
  const url = pathToFileURL(codeFile(`activities/${ACTIVITIES[name].file}`)).href;
  const module = (await import(url)) as { default: Body };
  return [name, module.default];
}

/** The activities of a queue, as a worker offers them. */
export function offeredOn<Queue extends ActivityQueue>(queue: Queue, place: Place<Queue>): ActivitiesOn<Queue> {
  const offered = activitiesOn(queue).map((name) => {
    const body = BODIES.get(name)!;
    return [name, framed(name, ACTIVITIES[name].input, (input, context) => body(place, input, context))];
  });
  return Object.fromEntries(offered) as ActivitiesOn<Queue>;
}
