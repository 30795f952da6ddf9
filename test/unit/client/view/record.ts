/** Records and views for the client's tests. */
import type { ReleaseRecord, StageRow } from '../../../../model/release/record.ts';
import type { PendingActivity, ReleaseView } from '../../../../client/view/activities.ts';

export const DIGEST = `sha256:${'a'.repeat(64)}`;
export const OTHER_DIGEST = `sha256:${'b'.repeat(64)}`;

export function row(name: StageRow['name'], subject: string, more: Partial<StageRow> = {}): StageRow {
  return {
    name,
    subject,
    status: 'waiting',
    host: null,
    attempts: 0,
    startedAt: null,
    durationMs: null,
    log: null,
    ...more,
  };
}

export function record(more: Partial<ReleaseRecord> = {}): ReleaseRecord {
  return {
    schemaVersion: 1,
    release: 'release/quay.io/acme/edge-camera:v1',
    runId: '0f3c',
    status: 'running',
    image: { reference: 'quay.io/acme/edge-camera:v1', digest: null, verified: false },
    disks: [],
    inputs: null,
    stages: [],
    failure: null,
    ...more,
  };
}

export function activity(more: Partial<PendingActivity> = {}): PendingActivity {
  return {
    branch: 'image',
    type: 'build',
    attempt: 1,
    started: true,
    progress: null,
    lastFailure: null,
    waitsFor: null,
    ...more,
  };
}

export function view(stages: StageRow[], activities: PendingActivity[] = []): ReleaseView {
  return { record: record({ stages }), activities };
}
