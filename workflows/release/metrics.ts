/** What a release counts. The SDK counts nothing while a history is replayed, and a count writes no event. */
import { metricMeter } from '@temporalio/workflow';
import type { FailureKind } from '../../model/release/failure.ts';
import { counterOf } from '../../model/release/metric.ts';
import type { ReleaseStatus } from '../../model/release/stage.ts';

/** A branch is held. */
export function countHold(kind: FailureKind): void {
  counterOf(metricMeter, 'flightline_holds_total').add(1, { kind });
}

/** A release has ended. */
export function countEnd(status: ReleaseStatus): void {
  counterOf(metricMeter, 'flightline_releases_ended_total').add(1, { status });
}
