/** Addresses in the Temporal Web UI. Pure. */

/** The page of a workflow in the Temporal Web UI, below its address. */
export function webUiPage(ui: string, namespace: string, workflow: string, runId: string): string {
  const base = ui.replace(/\/+$/, '');
  const run = `${encodeURIComponent(workflow)}/${runId}`;
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows/${run}/history`;
}

/** The list of the workflows that a list filter finds, below the Web UI's address. */
export function webUiList(ui: string, namespace: string, query: string): string {
  const base = ui.replace(/\/+$/, '');
  return `${base}/namespaces/${encodeURIComponent(namespace)}/workflows?query=${encodeURIComponent(query)}`;
}
