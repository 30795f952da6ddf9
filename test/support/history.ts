/** Histories of releases with their children, and their texts and sizes. */
import type { Client } from '@temporalio/client';

/** All that the server keeps of a workflow: history events, memo, search attributes, heartbeat details. */
export interface Kept {
  workflowId: string;
  events: unknown[];
  rest: unknown;
}

/** Reads a workflow and, recursively, its children. */
export async function keptOf(client: Client, workflowId: string): Promise<Kept[]> {
  const handle = client.workflow.getHandle(workflowId);
  const [history, description] = await Promise.all([handle.fetchHistory(), handle.describe()]);
  const events = history.events ?? [];
  const children = events.flatMap((event) => {
    const id = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    return id ? [id] : [];
  });
  const own = { workflowId, events, rest: description.raw };
  const below = await Promise.all([...new Set(children)].map((id) => keptOf(client, id)));
  return [own, ...below.flat()];
}

/** Every text in a value: strings, and bytes decoded as text (payloads are bytes of JSON). */
export function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  if (value !== null && typeof value === 'object')
    return Object.entries(value).flatMap(([name, member]) => [name, ...textsIn(member)]);
  return [];
}

/** Bytes of the largest payload in a value. */
export function largestPayload(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (Array.isArray(value)) return Math.max(0, ...value.map(largestPayload));
  if (value !== null && typeof value === 'object') return Math.max(0, ...Object.values(value).map(largestPayload));
  return 0;
}
