/** What a control worker does before it polls. */
import type { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import type { Logger } from 'pino';
import { requireReplay } from './replay.ts';
import { requireUnversioned } from './versions.ts';
import { ensureSearchAttributes } from './search-attributes.ts';
import { workflowSource, type WorkflowSource } from '../workflow-source.ts';

/** Creates the search attributes, and looks whether what is under way goes on with these workflows. */
export async function prepareControl(
  connection: NativeConnection,
  namespace: string,
  client: Client,
  logger: Logger,
  versioned: boolean,
): Promise<WorkflowSource> {
  const created = await ensureSearchAttributes(connection, namespace);
  if (created.length > 0) logger.info({ created }, 'search attributes created');
  if (!versioned) await requireUnversioned(client);
  const source = await workflowSource();
  const replayed = await requireReplay(client, source);
  if (replayed > 0) logger.info({ replayed }, 'what another version began goes on with this one');
  return source;
}
