/** The `moveSharedTag` activity of control workers: asks a tag's workflow to move the tag. */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import {
  MOVE_UPDATE,
  type MoveInput,
  MoveResult,
  SHARED_TAG_WORKFLOW,
  sharedTagId,
  type SharedTagInput,
} from '../../model/tags/shared-tag.ts';
import type { ActivityContext, WorkerBody } from '../server.ts';

async function moveSharedTag(
  _worker: object,
  input: MoveInput,
  { server }: ActivityContext,
): Promise<ActivityAnswer<'moveSharedTag'>> {
  const { repository, tag } = input.moves.at(-1)!;
  const start: SharedTagInput = { repository, tag, entries: [] };
  const workflow = { type: SHARED_TAG_WORKFLOW, id: sharedTagId(repository, tag), input: start };
  const summary = `${repository}:${tag}`;
  const message = { workflow: { ...workflow, summary }, update: MOVE_UPDATE, input };
  return MoveResult.parse(await server.updateWithStart(message));
}

export default moveSharedTag satisfies WorkerBody<'moveSharedTag'>;
