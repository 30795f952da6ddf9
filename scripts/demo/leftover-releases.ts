/** Cancels releases of a killed demo, which would go on now and take the host from this one. */
import { RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import { REQUEST_TIMEOUT, type Temporal } from '../../client/temporal/temporal.ts';
import type { Output } from '../../client/terminal/output.ts';

/** Cancels every open release whose tag is a demo's. Their clean-up goes on beside this demo. */
export async function cancelLeftOverDemos(temporal: Temporal, output: Output): Promise<void> {
  await temporal.within(REQUEST_TIMEOUT, async () => {
    const query = `WorkflowType = '${RELEASE_WORKFLOW}' AND ExecutionStatus = 'Running'`;
    for await (const { workflowId, runId } of temporal.client.workflow.list({ query })) {
      if (!/:demo-\d{8}-\d{6}$/.test(workflowId)) continue;
      output.note(`ending ${workflowId}, left by an earlier demo`);
      await temporal.client.workflow.getHandle(workflowId, runId).cancel();
    }
  });
}
