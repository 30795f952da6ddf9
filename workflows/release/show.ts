/** Shows a release as it changes: current details, search attributes, metrics, log and webhooks. */
import type { SearchAttributeUpdatePair } from '@temporalio/common';
import { log, metricMeter, upsertSearchAttributes, type CancellationScope } from '@temporalio/workflow';
import type { Failure } from '../../model/failure/failure.ts';
import { counterOf } from '../../model/base/metric.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { StageTable } from '../../model/release/stage-table.ts';
import { searchAttribute, type ReleaseStatus } from '../../model/stage/stage.ts';
import { Notifications } from '../notification.ts';
import type { StageBoard } from '../run-stage.ts';
import { releaseStatus, type ReleaseState } from './state.ts';
import { shownStage, recordOf, releaseDetails } from './record.ts';
import { showDetails } from '../details.ts';

const STAGE = searchAttribute('FlightlineStage');
const STATUS = searchAttribute('FlightlineStatus');
const HOST = searchAttribute('FlightlineHost');

/** A release under way: its state, and what of it is shown and runs. */
export class ShownRelease implements StageBoard {
  readonly state: ReleaseState;
  readonly notifications = new Notifications();
  /** The builder runs under way, by subject: each can be cancelled alone. */
  readonly running = new Map<string, { scope: CancellationScope; ended: Promise<void>; error: unknown }>();
  private readonly shown = new Map<string, string>();

  constructor(state: ReleaseState) {
    this.state = state;
  }

  get table(): StageTable {
    return this.state.table;
  }

  /** Shows the state: updates current details, and the search attributes that have changed. */
  changed(): void {
    const { state } = this;
    this.notifications.noticed(recordOf(state), state.request);
    showDetails(releaseDetails(state));
    const pairs: SearchAttributeUpdatePair[] = [
      { key: STAGE, value: shownStage(state) },
      { key: STATUS, value: releaseStatus(state) },
      { key: HOST, value: state.hosts.size > 0 ? [...state.hosts] : null },
    ];
    // Each upsert is an event in the history, so only changes are sent, all at once.
    const news = pairs.filter(({ key, value }) => (this.shown.get(key.name) ?? 'null') !== JSON.stringify(value));
    if (news.length === 0) return;
    for (const { key, value } of news) this.shown.set(key.name, JSON.stringify(value));
    upsertSearchAttributes(news);
  }

  /** Notes a host that works for this release. */
  addHost(host: string): void {
    if (this.state.hosts.has(host)) return;
    this.state.hosts.add(host);
    this.changed();
  }

  /** A branch is held. The SDK does not count during a replay, and counting adds no event to the history. */
  showHold(branch: string, failure: Failure): void {
    this.changed();
    counterOf(metricMeter, 'flightline_holds_total').add(1, { kind: failure.kind });
    log.warn(`${branch} is held: ${failure.message}`, { event: 'held', branch, ...loggable(failure) });
  }

  /** Held branches go on. */
  showResumed(branches: string[]): void {
    this.changed();
    log.info('held branches go on', { event: 'resumed', branches });
  }

  /** The release has ended. */
  end(status: ReleaseStatus, failure: Failure | null, record?: ReleaseRecord): void {
    end(this.state, status, failure, record);
    this.changed();
    counterOf(metricMeter, 'flightline_releases_ended_total').add(1, { status });
    log.info(`the release is ${status}`, { event: 'release-ended', status, ...loggable(failure) });
  }
}

/** Ends the release: nothing changes any more. `record` replaces the release's own, for an unchanged release. */
function end(
  state: ReleaseState,
  status: ReleaseStatus,
  failure: Failure | null,
  record: ReleaseRecord | null = null,
): void {
  const { table } = state;
  const at = Date.now();
  table.updateAll((row) => row.status === 'running' || row.status === 'held', { status: 'cancelled', at });
  table.updateAll((row) => row.status === 'waiting', { status: 'skipped', at });
  state.holds.clear();
  state.outcome = { status, failure, record: record && { ...record, stages: table.rows } };
}

/** What a line of the log says of a failure besides its message. */
function loggable(failure: Failure | null): Record<string, string | null> {
  return failure ? { kind: failure.kind, stage: failure.stage, remedy: failure.remedy.action } : {};
}
