import { setCurrentDetails } from '@temporalio/workflow';
import { forWebUi } from '../model/base/words.ts';

/** Shows Markdown on the workflow's page in Temporal's Web UI, in place of what stood there. */
export function showDetails(markdown: string): void {
  setCurrentDetails(forWebUi(markdown));
}
