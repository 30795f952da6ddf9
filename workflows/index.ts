/** The workflow types that control workers offer; names as in model/contract/workflows.ts. */
import { setWorkflowOptions, workflowInfo } from '@temporalio/workflow';
import { nightly } from './nightly/nightly.ts';
import { sharedTag } from './tags/shared-tag.ts';

export { builderRun } from './release/disks/builder-run.ts';
export { promotion } from './tags/promotion.ts';
export { keyRotation } from './tags/key-rotation.ts';
export { notification } from './notification.ts';
export { questions } from './questions/questions.ts';
export { prune } from './prune.ts';
export { release } from './release/release.ts';
export { nightly, sharedTag };

// These two move to a new version: a tag's workflow never ends, and a nightly run follows its schedule. All others stay
// with the version that they began with. The server rejects a behaviour from a worker without versions.
const followsVersions = () =>
  workflowInfo().currentDeploymentVersion?.deploymentName ? { versioningBehavior: 'AUTO_UPGRADE' as const } : {};
setWorkflowOptions(followsVersions, sharedTag);
setWorkflowOptions(followsVersions, nightly);
