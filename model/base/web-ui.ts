/** Addresses in the Temporal Web UI. Pure. */

/** The page of a workflow in the Temporal Web UI, below its address. */
export function webUiPage(ui: string, namespace: string, workflow: string, runId: string): string {
  const base = ui.replace(/\/+$/, '');
  const run = `${encodeURIComponent(workflow)}/${runId}`;
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows/${run}/history`;
}
